"""Archiving a message: where and how it lies there, and that nothing is left of one that could not be archived."""

from __future__ import annotations

import grp
import hashlib
import mailbox
import os
import re
import resource
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from eximacl.archive import Archive, ArchiveError, Held, SpoolError, find, messages
from eximacl.archive.store import CHUNK_BYTES, DOMAINS_MAX
from eximacl.mail.address import Address, quoted
from tests.archive.holding import (
    BODY,
    DAY,
    HEADERS,
    HOST,
    ID,
    NOON,
    archive_at,
    files_in,
    held,
    names_in,
    nobody,
    small_disk,
    spool_with,
    whole,
)
from tests.state.forks import Child, Tell, children

MESSAGE = HEADERS.encode() + b"\n" + BODY
NAME = re.compile(rf"1795435200\.M250000P{os.getpid()}Q\d+\.mx\.example\.org\.example\.org")


MB = 1_000_000


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return spool_with(tmp_path / "spool")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return archive_at(tmp_path / "archive")


def test_a_localpart_in_quotes_stays_one_recipient(archive: Archive, spool: Path) -> None:
    localpart = '"a"@example.org, victim@example.com, "b"'
    archive.store(held(spool, f"{localpart}@example.org", "a, b@example.org", "joe@example.org"))
    (message,) = messages(archive.root)
    assert message.envelope
    first, *others = message.envelope.recipients
    assert first == r'"\"a\"@example.org, victim@example.com, \"b\""@example.org'
    assert others == ['"a, b"@example.org', "joe@example.org"]


def test_thousands_of_recipients(archive: Archive, spool: Path) -> None:
    """As many as a query has room for; their envelope is read all the same."""
    recipients = [f"{number}{'x' * 240}@example.org" for number in range(8000)]
    archive.store(held(spool, *recipients))
    (message,) = messages(archive.root)
    assert message.envelope
    assert list(message.envelope.recipients) == recipients


def test_a_message_is_a_maildir_s_and_its_envelope_beside_it(archive: Archive, spool: Path) -> None:
    message = held(spool)
    (stored,) = archive.store(message)
    assert NAME.fullmatch(stored.filename)
    day = archive.root / "example.org" / DAY
    assert stored.path == day / "new" / stored.filename
    assert stored.path.read_bytes() == MESSAGE
    assert files_in(archive.root) == sorted(
        [
            f"example.org/{DAY}/new/{stored.filename}",
            f"example.org/{DAY}/envelope/{stored.filename}.json",
            "example.org/today",
        ]
    )
    (found,) = messages(archive.root)
    assert found.envelope == stored.envelope
    assert (stored.envelope.size, stored.envelope.sha256) == (len(MESSAGE), hashlib.sha256(MESSAGE).hexdigest())
    for name in ("ref", "time", "sender", "ip", "host", "helo", "reason", "check", "sentence", "message_id", "subject"):
        assert getattr(stored.envelope, name) == getattr(message.envelope, name)
    assert stored.envelope.recipients == ("joe@example.org",)
    (read,) = mailbox.Maildir(archive.root / "example.org" / "today", create=False)
    assert (read["Subject"], read.get_payload()) == ("hello", BODY.decode())


def test_today_follows_the_days(archive: Archive, spool: Path) -> None:
    link = archive.root / "example.org" / "today"
    seen = []
    for days in (0, 0, 1, 2):
        archive.store(held(spool, time=NOON + days * 86_400))
        seen.append(str(link.readlink()))
    assert seen == [DAY, DAY, "2026-11-24", "2026-11-25"]
    assert files_in(archive.root / "example.org")[-1] == "today"


def test_no_message_is_lost_for_the_link_s_sake(archive: Archive, spool: Path) -> None:
    (archive.root / "example.org" / "today").mkdir(parents=True)
    assert archive.store(held(spool))[0].path.exists()
    assert [path.name for path in (archive.root / "example.org").iterdir() if path.name.startswith(".")] == []


def test_each_domain_has_a_copy_for_its_recipients(archive: Archive, spool: Path) -> None:
    stored = archive.store(held(spool, "joe@example.org", "ann@example.com", "Ann@example.org", "postmaster"))
    assert [(one.path.parents[2].name, one.envelope.recipients) for one in stored] == [
        ("example.org", ("joe@example.org", "Ann@example.org")),
        ("example.com", ("ann@example.com",)),
        ("_-e3b0c44298fc", ("postmaster",)),
    ]
    assert {one.path.read_bytes() for one in stored} == {MESSAGE}
    assert len({one.path.stat().st_ino for one in stored}) == 1
    assert [copy.path for copy in find(archive.root, "7KQ2M9D4")] == sorted(one.path for one in stored)


def test_a_hostile_domain_stays_inside(archive: Archive, spool: Path) -> None:
    hostile = ["..", "../../etc", "/etc", "a\0b", "bücher\n.example", "\udcff", "x" * 5000, "today", "[ipv6:::1]"]
    before = sorted(path.name for path in archive.root.parent.iterdir())
    stored = archive.store(held(spool, recipients=tuple(quoted(Address("joe", domain)) for domain in hostile)))
    assert len(stored) == len(hostile)
    assert all(one.path.parents[3] == archive.root and one.path.read_bytes() == MESSAGE for one in stored)
    assert sorted(path.name for path in archive.root.parent.iterdir()) == before
    assert max(len(one.filename) for one in stored) < 255 - len(":2,FPRST.json")


BODIES = {
    "8-bit": ("Subject: \udcff\n", b"\xff\xfe\x00\r\n"),
    "empty": (HEADERS, b""),
    "no headers": ("", BODY),
    "no line end": ("Subject: x", b"last"),
    "exim's own": (f"Received: by mx\n\tid {ID}\n{HEADERS}", BODY),
    "a chunk and a byte": (HEADERS, b"x" * (CHUNK_BYTES + 1)),
}


@pytest.mark.parametrize(("headers", "body"), BODIES.values(), ids=BODIES.keys())
def test_the_bytes(archive: Archive, tmp_path: Path, headers: str, body: bytes) -> None:
    spool = spool_with(tmp_path / "spool", body)
    (stored,) = archive.store(held(spool, headers=headers))
    own = headers.partition(f"{ID}\n")[2] or headers
    expected = own.encode("utf-8", "surrogateescape") + (b"" if own.endswith("\n") or not own else b"\n")
    assert stored.path.read_bytes() == expected + b"\n" + body
    assert all(map(whole, messages(archive.root)))


def modes(root: Path) -> set[tuple[str, int, int]]:
    found = ((path, path.lstat()) for path in (root, *root.rglob("*")) if not path.is_symlink())
    return {("directory" if path.is_dir() else "file", stat.S_IMODE(at.st_mode), at.st_gid) for path, at in found}


@pytest.mark.needs_root
@pytest.mark.parametrize("group", ["", "mail", "8"])
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_permissions_and_group(tmp_path: Path, spool: Path, group: str, umask: int) -> None:
    before = os.umask(umask)
    try:
        archive_at(tmp_path / "archive", group).store(held(spool))
    finally:
        os.umask(before)
    gid = grp.getgrnam("mail").gr_gid if group else os.getgid()
    assert modes(tmp_path / "archive") == {("directory", 0o750, gid), ("file", 0o640, gid)}


def test_a_group_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"archive\.group: there is no group 'nosuchgroup'"):
        Archive(tmp_path, "nosuchgroup")


def test_the_host_s_name_is_the_default(tmp_path: Path, spool: Path) -> None:
    (stored,) = Archive(tmp_path).store(held(spool))
    assert stored.filename.endswith(".example.org")
    assert len(stored.filename.split(".")) > 4


def test_prepare_makes_the_directory_and_leaves_one_that_is_there(tmp_path: Path) -> None:
    archive_at(tmp_path / "a/b/archive")
    (tmp_path / "a/b/archive").chmod(0o700)
    archive_at(tmp_path / "a/b/archive")
    assert stat.S_IMODE((tmp_path / "a/b/archive").stat().st_mode) == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match=r"archive\.dir: .*/file/archive is not a directory; create it"):
        archive_at(tmp_path / "file/archive")


# ---- what cannot be archived leaves nothing


def without(archive: Archive, message: Held, text: str, error: type[ArchiveError] = ArchiveError) -> None:
    """Archiving fails with that text, and not a file is left."""
    with pytest.raises(error, match=text):
        archive.store(message)
    assert [path for path in files_in(archive.root) if not path.endswith("today")] == []


def test_the_directory_is_missing(tmp_path: Path, spool: Path) -> None:
    without(Archive(tmp_path / "none"), held(spool), r"archive\.dir: .*/none is not a directory; create it, or mount")
    assert not (tmp_path / "none").exists()


def test_the_directory_is_a_file(tmp_path: Path, spool: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match=r"archive\.dir: .*/file is not a directory; create it"):
        Archive(tmp_path / "file").store(held(spool))


SPOOLS: list[tuple[str, dict[str, Any], str]] = [
    ("no body", {"id": "1xVYtn-00005a-09"}, "holds no 1xVYtn-00005a-09-D"),
    ("no id", {"id": "../../x"}, "is not a message id"),
    ("no spool", {"spool": "/nonexistent"}, "/nonexistent: No such file"),
    ("headers cut", {"headers": "x" * 65_536}, "a message is archived whole or not at all"),
]


@pytest.mark.parametrize(("changed", "text"), [row[1:] for row in SPOOLS], ids=[row[0] for row in SPOOLS])
def test_exim_s_part_cannot_be_had(archive: Archive, spool: Path, changed: dict[str, Any], text: str) -> None:
    without(archive, held(spool, **changed), text, SpoolError)


@pytest.mark.parametrize("link", ["example.org", "example.org/2026-11-23"])
def test_nothing_is_stored_behind_a_link(archive: Archive, spool: Path, tmp_path: Path, link: str) -> None:
    """Who lists the archive does not follow it, so the message would never be found."""
    (stored,) = archive.store(held(spool))
    stored.path.parents[2].rename(tmp_path / "elsewhere")
    path = archive.root / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(tmp_path / "elsewhere" / path.relative_to(archive.root / "example.org"))
    with pytest.raises(ArchiveError, match=rf"^archive\.dir: {path} is a symbolic link; put a directory there, or"):
        archive.store(held(spool, ref="7KQ2M9D5"))
    assert len(files_in(tmp_path / "elsewhere")) == 3


def test_a_message_for_nobody(archive: Archive, spool: Path) -> None:
    without(archive, held(spool, recipients=()), "has no held recipient")


def test_a_name_that_is_taken_is_never_taken_twice(archive: Archive, spool: Path) -> None:
    """As it would be after the clock was set back: the other's files stay as they are."""
    (first,) = archive.store(held(spool))
    number = int(first.filename.split("Q")[1].split(".")[0])
    taken = first.filename.replace(f"Q{number}.", f"Q{number + 1}.")
    envelope = archive.root / "example.org" / DAY / "envelope" / f"{taken}.json"
    envelope.write_text("another's")
    with pytest.raises(ArchiveError, match="File exists"):
        archive.store(held(spool))
    assert envelope.read_text() == "another's"
    assert names_in(archive.root) == [first.filename]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that everybody may pass, unlike pytest's."""
    directory = Path(tempfile.mkdtemp(prefix="eximacl-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def test_the_directory_is_not_writable(reachable: Path) -> None:
    archive, spool = archive_at(reachable / "archive"), spool_with(reachable / "spool")
    archive.root.chmod(0o755)
    text = r"archive\.dir: .*/archive/example\.org: Permission denied; the daemon's user must be able to write there"
    with nobody():
        without(archive, held(spool), text)


def test_a_group_that_the_daemon_s_user_is_not_in(reachable: Path) -> None:
    spool = spool_with(reachable / "spool")
    (reachable / "archive").mkdir()
    os.chown(reachable / "archive", 65534, 65534)
    with nobody():
        without(Archive(reachable / "archive", "mail"), held(spool), "archive.group: .* must be a member of mail")


def test_a_file_of_another_group_is_no_file(reachable: Path) -> None:
    """The directories are there, with a group of their own; the file's group cannot be set, so it is not left."""
    spool = spool_with(reachable / "spool")
    root = reachable / "archive"
    archive_at(root).store(held(spool))
    before = files_in(root)
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    with nobody(), pytest.raises(ArchiveError, match=r"archive\.group: "):
        Archive(root, "mail").store(held(spool))
    assert files_in(root) == before


@pytest.mark.parametrize("room", [16, 64, 1024])
def test_a_full_disk(tmp_path: Path, room: int) -> None:
    """The disk is full while the message is written; then the archive is as before, and works again with some room."""
    spool = spool_with(tmp_path / "spool", b"x" * (room + 64) * 1024)
    root = tmp_path / "archive"
    root.mkdir()
    text = r"archive\.dir: .*archive: No space left on device; free some space, or lower archive\.keep_mb"
    with small_disk(root, f"size={room + 64}k"):
        archive = archive_at(root)
        without(archive, held(spool), text)
        (stored,) = archive.store(held(spool_with(tmp_path / "other")))
        assert stored.path.read_bytes() == MESSAGE


def test_wherever_the_disk_gets_full_nothing_or_the_whole_is_there(tmp_path: Path) -> None:
    """Every size of disk, and every number of files on it, up to those that suffice."""
    spool = spool_with(tmp_path / "spool", b"x" * 20_000)
    root = tmp_path / "archive"
    root.mkdir()
    results = []
    with small_disk(root, "size=4k,nr_inodes=4"):
        for number in range(1, 16):
            options = f"remount,size={4 * number}k,nr_inodes={number + 4}"
            subprocess.run(["mount", "-o", options, str(root)], check=True)
            try:
                archive_at(root).store(held(spool, "joe@a.example", "joe@b.example"))
                results.append("archived")
            except ArchiveError:
                results.append("refused")
            found = list(messages(root))
            wanted = [path for message in found for path in (message.path, message.day.envelope(message.name))]
            assert all(map(whole, found))
            assert sorted(map(str, wanted)) == [str(root / p) for p in files_in(root) if not p.endswith("today")]
    assert results[0] == "refused"
    assert "archived" in results


# ---- at once


def test_threads_and_processes_at_once(tmp_path: Path) -> None:
    spool = spool_with(tmp_path / "spool")
    root = tmp_path / "archive"
    archive_at(root)

    def work(tell: Tell) -> None:
        archives = [Archive(root, "", HOST) for _ in range(2)]
        with ThreadPoolExecutor(4) as threads:
            for (stored,) in threads.map(lambda number: archives[number % 2].store(held(spool)), range(80)):
                tell(stored.filename)

    with children(work, 4) as started:
        told = [line for child in started for line in child.rest()]
        assert [child.wait() for child in started] == [0] * 4
    assert len(told) == 4 * 80
    assert sorted(told) == sorted(names_in(root))
    assert all(map(whole, messages(root)))
    assert [path for path in files_in(root) if "/tmp/" in path] == []


def test_a_big_message_takes_little_memory(tmp_path: Path) -> None:
    size = 50 * 1024 * 1024
    spool = spool_with(tmp_path / "spool", b"x" * size)

    def work(tell: Tell) -> None:
        archive = archive_at(tmp_path / "archive")
        archive.store(held(spool_with(tmp_path / "small")))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.monotonic()
        (stored,) = archive.store(held(spool))
        seconds = time.monotonic() - started
        tell(f"{stored.envelope.size} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before} {seconds:.3f}")

    with Child(work) as child:
        stored_size, kilobytes, _ = child.line().split()
    assert int(stored_size) == size + len(HEADERS) + 1
    assert int(kilobytes) < 8 * 1024


def test_a_message_for_very_many_domains_is_not_kept_and_leaves_nothing(spool: Path, tmp_path: Path) -> None:
    archive = archive_at(tmp_path / "archive")
    many = [f"joe@d{number}.example.org" for number in range(DOMAINS_MAX + 1)]
    with pytest.raises(ArchiveError, match="the message is for 101 domains, and one of more than 100 is not kept"):
        archive.store(held(spool, *many))
    assert files_in(tmp_path / "archive") == []
    assert len(archive.store(held(spool, *many[:DOMAINS_MAX]))) == DOMAINS_MAX
    assert len(archive.store(held(spool, *[f"joe+{number}@example.org" for number in range(1000)]))) == 1


def test_the_archive_leaves_its_disk_the_space_that_others_need(spool: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "size=10m"):
        archive = Archive(disk / "archive", "", HOST, free=200 * MB)
        archive.prepare()
        archive.store(held(spool))
        (disk / "ballast").write_bytes(bytes(9 * MB))
        with pytest.raises(ArchiveError, match=r"MB are free there, and 2\.1 MB have to be \(archive\.free_mb\)"):
            archive.store(held(spool))
        assert len(names_in(disk / "archive")) == 1
        assert len([one for one in files_in(disk / "archive") if "/envelope/" in one]) == 1
