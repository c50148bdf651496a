"""Rights are computed as the kernel grants them: by owner, else group, else all; through each directory."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.doctor.access import Right, Who, free_bytes, refusal, shut
from tests.lab.site import ROOT as TREE

pytestmark = pytest.mark.needs_root

OWNER = Who("owner", 60001, frozenset({60001}))
MEMBER = Who("member", 60002, frozenset({60002, 60001}))
OTHER = Who("other", 60003, frozenset({60003}))
ROOT = Who("root", 0, frozenset({0}), frozenset({"read", "write", "enter"}))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A file 60001:60001, in a directory that all may enter."""
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_mode & 0o001 == 0:
            directory.chmod(directory.stat().st_mode | 0o011)
    path = tmp_path / "file"
    path.touch()
    os.chown(path, 60001, 60001)
    yield path
    tmp_path.chmod(0o755)


RIGHTS = [
    (0o600, OWNER, "write", True),
    (0o600, MEMBER, "read", False),
    (0o640, MEMBER, "read", True),
    (0o640, MEMBER, "write", False),
    (0o660, MEMBER, "write", True),
    (0o660, OTHER, "read", False),
    (0o666, OTHER, "write", True),
    (0o066, OWNER, "write", False),  # the owner's bits count, although its group has more
    (0o000, ROOT, "write", True),
]


@pytest.mark.parametrize(("mode", "who", "right", "granted"), RIGHTS)
def test_as_the_kernel_grants_it(place: Path, mode: int, who: Who, right: Right, granted: bool) -> None:
    place.chmod(mode)
    assert (refusal(who, place, right) == "") is granted
    if who is not ROOT:
        groups = ",".join(map(str, who.gids))
        command = ["setpriv", f"--reuid={who.uid}", f"--regid={who.uid}", f"--groups={groups}"]
        kernel = subprocess.run([*command, "test", "-r" if right == "read" else "-w", str(place)])
        assert (kernel.returncode == 0) is granted


def test_a_closed_directory_and_missing_files(place: Path) -> None:
    place.chmod(0o666)
    place.parent.chmod(0o700)
    assert f"other may not enter {place.parent} (drwx------ 0:0)" in refusal(OTHER, place, "read")
    place.parent.chmod(0o755)
    assert "does not exist" in refusal(OTHER, place.with_name("none"), "read")
    assert f"other may not write {place.parent} (drwxr-xr-x 0:0)" == refusal(OTHER, place.with_name("none"), "write")
    assert refusal(ROOT, place.with_name("none") / "deep" / "down", "write") == ""
    assert "Not a directory" in refusal(ROOT, place / "below", "write")


def test_an_acl_may_grant_what_the_mode_does_not(place: Path) -> None:
    entries = ((1, 6, NO_ID), (2, 6, OTHER.uid), (4, 0, NO_ID), (16, 6, NO_ID), (32, 0, NO_ID))
    access = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    place.chmod(0o600)
    assert refusal(OTHER, place, "write")
    os.setxattr(place, "system.posix_acl_access", access)
    assert refusal(OTHER, place, "write") == ""


def test_the_first_directory_that_is_closed(place: Path) -> None:
    assert shut(OTHER, place) is None
    place.parent.chmod(0o700)
    assert (shut(OTHER, place), shut(OTHER, place.parent / "none" / "x")) == (place.parent, place.parent)


NO_ID = 0xFFFFFFFF  # an entry that names nobody (acl(5), ACL_UNDEFINED_ID)


def test_free_space(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    # In a namespace of its own, so that the mount ends with it.
    script = "import sys, pathlib, eximacl.doctor.access as a; print(a.free_bytes(pathlib.Path(sys.argv[1])))"
    mounted = f"mount -t tmpfs -o size=64k tmpfs {disk} && exec {sys.executable} -c '{script}' {disk}/not/there"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", mounted], capture_output=True, text=True, cwd=TREE)
    assert done.stdout == f"{64 * 1024}\n", done.stderr
    assert free_bytes(Path("/proc/version/none")) is None


def test_whom_a_process_runs_as() -> None:
    here = Path(f"/proc/{os.getpid()}")
    who = Who.of_process(here, "python")
    assert who is not None
    assert (who.uid, "write" in who.passes) == (os.geteuid(), True)
    assert Who.of_process(here, "no such program") is None
    assert Who.of_process(Path("/proc/0"), "") is None
