"""Who gets into a private directory."""

from __future__ import annotations

import fcntl
import os
import pwd
from pathlib import Path

import pytest

from eximacl.exim.private import PREFIX, RUN, clear, private_directory


@pytest.mark.needs_root
@pytest.mark.needs_exim
def test_a_directory_of_exims(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    exim = pwd.getpwnam("Debian-exim")
    with private_directory(exim.pw_uid) as home:
        (home / "made").mkdir()
        found = home.stat()
        assert (home.parent, found.st_uid, found.st_gid, found.st_mode & 0o777) == (RUN, 0, exim.pw_gid, 0o750)
    assert not home.exists()


def test_without_such_a_user_only_root_gets_in() -> None:
    for uid in (None, 4_000_000):
        with private_directory(uid) as home:
            assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (os.geteuid(), 0o700)


def test_what_a_killed_one_left_goes(tmp_path: Path) -> None:
    """But neither what is in use, nor what was made a moment ago, nor another's."""
    names = {name: tmp_path / name for name in (f"{PREFIX}old", f"{PREFIX}new", f"{PREFIX}used", "eximacl-other")}
    for path in names.values():
        path.mkdir()
        (path / "file").touch()
        if not path.name.endswith("new"):
            os.utime(path, (1, 1))
    handle = os.open(names[f"{PREFIX}used"], os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        clear(tmp_path)
    finally:
        os.close(handle)
    assert {path.name for path in tmp_path.iterdir()} == set(names) - {f"{PREFIX}old"}
