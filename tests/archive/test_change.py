"""Releases are written down whole, one after the other; deleting takes the message and its envelope."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

import pytest

from eximacl.archive import (
    Archive,
    ArchiveError,
    Message,
    NoSuchMessage,
    ReleaseNote,
    delete,
    locked,
    mark_released,
    messages,
    open_message,
)
from tests.archive.holding import NOON, archive_at, files_in, held, small_disk, spool_with, whole
from tests.lab.waiting import until
from tests.state.forks import Child, Tell, children

RELEASE = ReleaseNote(time=NOON + 60, recipients=("joe@example.org",), by="root")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return archive_at(tmp_path / "archive")


@pytest.fixture
def message(archive: Archive, tmp_path: Path) -> Message:
    archive.store(held(spool_with(tmp_path / "spool")))
    (found,) = messages(archive.root)
    return found


def again(message: Message) -> Message:
    (found,) = messages(message.day.path.parents[1])
    return found


@pytest.mark.needs_root
def test_a_release_is_written_down(message: Message) -> None:
    envelope = message.day.envelope(message.name)
    os.chown(envelope, 65534, 8)
    with locked(message) as [current]:
        marked = mark_released(current, [RELEASE])
    assert again(message) == marked
    assert marked.envelope is not None
    assert marked.envelope.released == (RELEASE,)
    assert whole(marked)
    at = envelope.stat()
    assert (at.st_uid, at.st_gid, stat.S_IMODE(at.st_mode)) == (65534, 8, 0o640)
    assert [path.name for path in message.day.envelopes.iterdir()] == [envelope.name]


def test_releases_by_many_are_all_written_down(message: Message) -> None:
    def work(tell: Tell) -> None:
        for _ in range(20):
            with locked(message) as [current]:
                assert current.envelope
                mine = ReleaseNote(time=NOON, recipients=(), by=str(os.getpid()))
                mark_released(current, (*current.envelope.released, mine))

    with children(work, 4) as started:
        assert [child.wait() for child in started] == [0] * 4
    envelope = again(message).envelope
    assert envelope is not None
    assert len(envelope.released) == 80


def test_the_second_waits_and_sees_what_the_first_has_released(message: Message) -> None:
    def second(tell: Tell) -> None:
        tell("waits")
        with locked(message) as [current]:
            assert current.envelope
            tell(str(len(current.envelope.released)))

    with locked(message) as [current], Child(second) as child:
        assert child.line() == "waits"
        until(lambda: waits_for_lock(child.pid), "the second to wait for the lock")
        mark_released(current, [RELEASE])
        until(lambda: waits_for_lock(child.pid))
        child.kill()
        assert child.rest() == []
    with Child(second) as child:
        assert child.rest() == ["waits", "1"]


def waits_for_lock(pid: int) -> bool:
    """Whether the kernel lists a process as one that waits for a lock (proc(5), /proc/locks)."""
    return any(line.split()[1] == "->" and f" {pid} " in line for line in Path("/proc/locks").read_text().splitlines())


def test_it_is_found_where_a_mail_client_put_it(message: Message) -> None:
    moved = message.path.rename(message.day.cur / f"{message.name}:2,S")
    with locked(message) as [current]:
        assert current.path == moved
    delete(message)
    assert files_in(message.day.path) == []


def test_a_copy_that_was_put_back_is_no_second_message(message: Message) -> None:
    """Two files with one name: found, locked and deleted as one."""
    (message.day.cur / f"{message.name}:2,S").write_bytes(message.path.read_bytes())
    with locked(again(message)) as [current]:
        assert whole(current)
        delete(current)
    assert files_in(message.day.path) == []


def test_two_messages_of_a_day_are_locked_at_once(archive: Archive, message: Message, tmp_path: Path) -> None:
    archive.store(held(spool_with(tmp_path / "spool"), "joe@example.org", "joe@example.com", ref="7KQ2M9D5"))
    found = list(messages(archive.root))
    with locked(*found) as current:
        assert current == found
    assert len({one.day for one in found}) == 2


def test_deleting_twice_is_harmless(message: Message) -> None:
    delete(message)
    delete(message)
    assert files_in(message.day.path) == []
    with pytest.raises(NoSuchMessage), locked(message):
        pass


def test_one_that_cannot_be_deleted(message: Message) -> None:
    message.path.unlink()
    message.path.mkdir()
    with pytest.raises(ArchiveError, match="Is a directory; it cannot be deleted"):
        delete(message)


def test_a_day_that_is_gone(archive: Archive, message: Message) -> None:
    message.day.path.rename(archive.root / "gone")
    with pytest.raises(NoSuchMessage, match="2026-11-23 is no longer in the archive"), locked(message):
        pass
    message.day.path.touch()
    with pytest.raises(ArchiveError, match="Not a directory"), locked(message):
        pass


def test_a_damaged_envelope_cannot_be_released(message: Message) -> None:
    message.day.envelope(message.name).write_text("{")
    with pytest.raises(ArchiveError, match=re.escape(f"{message.name}.json: is not JSON")), locked(message):
        pass


def test_a_message_that_is_purged_during_its_release(message: Message) -> None:
    """Its bytes can be read to the end; that there is nothing to write the release down in is an error."""
    with locked(message) as [current], open_message(current) as file:
        delete(message)
        assert file.read().endswith(b"Bye.\n")
        with pytest.raises(ArchiveError, match="No such file or directory"):
            mark_released(current, [RELEASE])


def test_a_full_disk_leaves_the_envelope_as_it_was(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    root.mkdir()
    spool = spool_with(tmp_path / "spool")

    with small_disk(root, "size=64k"):
        archive_at(root).store(held(spool))
        (message,) = messages(root)
        with (root / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        with pytest.raises(ArchiveError, match="No space left on device; the release is not written down"):
            mark_released(message, [RELEASE])
        assert again(message) == message
        assert len(list(message.day.envelopes.iterdir())) == 1
