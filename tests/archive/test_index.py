"""Reading the archive: all that is there is found, wherever a mail client put it, and damage hides nothing."""

from __future__ import annotations

import mailbox
import resource
from pathlib import Path

import pytest

from eximacl.archive import Archive, ArchiveError, NoSuchMessage, damaged, find, messages, open_message
from eximacl.archive.index import MAX_ENVELOPE_BYTES, NEAR_SECONDS, days, listed, names
from eximacl.records.references import References
from tests.archive.holding import BODY, HEADERS, NOON, archive_at, held, let_everybody_pass, nobody, spool_with


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return spool_with(tmp_path / "spool")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return archive_at(tmp_path / "archive")


def test_all_messages_the_oldest_first(archive: Archive, spool: Path) -> None:
    for shift in (3, 0, 200_000, 1, -200_000):
        archive.store(held(spool, f"joe@{'a' if shift % 2 else 'b'}.example", time=NOON + shift))
    found = list(messages(archive.root))
    times = [message.envelope.time - NOON for message in found if message.envelope]
    assert times == [-200_000, 0, 1, 3, 200_000]
    assert [day.path.name for day in days(archive.root)] == ["2026-11-21", "2026-11-23", "2026-11-23", "2026-11-25"]


def test_an_empty_archive_and_one_that_is_not_there(archive: Archive, tmp_path: Path) -> None:
    assert list(messages(archive.root)) == []
    with pytest.raises(ArchiveError, match=r"archive\.dir: .*/none: No such file or directory$"):
        list(messages(tmp_path / "none"))


def test_a_message_that_a_mail_client_has_shown(archive: Archive, spool: Path) -> None:
    (stored,) = archive.store(held(spool))
    (before,) = messages(archive.root)
    (stored.path.parents[1] / "cur" / "another:2,").touch()
    maildir = mailbox.Maildir(archive.root / "example.org" / "today", create=False)
    (key,) = set(maildir.keys()) - {"another"}
    shown = maildir[key]
    shown.set_subdir("cur")
    shown.set_flags("FS")
    maildir[key] = shown
    _, message = messages(archive.root)
    assert (message.name, message.path.parent.name) == (stored.filename, "cur")
    assert message.path.name.endswith(":2,FS")
    assert message.envelope == stored.envelope
    for one in (before, message):
        with open_message(one) as file:
            assert file.read().endswith(b"Hello.\n.\nBye.\n")


def test_opening_one_that_was_deleted(archive: Archive, spool: Path) -> None:
    archive.store(held(spool))
    (message,) = messages(archive.root)
    with open_message(message) as file:
        assert file.read() == HEADERS.encode() + b"\n" + BODY
    message.path.unlink()
    with pytest.raises(NoSuchMessage, match=r"is no longer in the archive; it was deleted or purged"):
        open_message(message)


DAMAGE = [
    ("torn", b'{"ref": "7KQ2', "is not JSON"),
    ("empty", b"", "is not JSON"),
    ("huge", b" " * (MAX_ENVELOPE_BYTES + 10) + b"{}", "is not JSON"),
    ("missing", None, "No such file or directory"),
]


@pytest.mark.parametrize(("data", "problem"), [row[1:] for row in DAMAGE], ids=[row[0] for row in DAMAGE])
def test_a_damaged_envelope_hides_no_message(archive: Archive, spool: Path, data: bytes | None, problem: str) -> None:
    (stored,) = archive.store(held(spool))
    archive.store(held(spool, ref="7KQ2M9D5", time=NOON + 1))
    path = archive.root / "example.org" / "2026-11-23" / "envelope" / f"{stored.filename}.json"
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    damaged, good = messages(archive.root)
    assert (damaged.name, damaged.envelope, good.problem) == (stored.filename, None, "")
    assert damaged.problem.startswith(f"{path}: {problem}")
    assert find(archive.root, "7KQ2M9D4") == []
    assert find(archive.root, "7KQ2M9D5") == [good]


def test_damaged_ones_of_a_reference_s_time(archive: Archive, spool: Path) -> None:
    ref = References().next(NOON)
    for shift in (-NEAR_SECONDS - 1, -1, 1, NEAR_SECONDS + 1):
        archive.store(held(spool, ref="7KQ2M9D5", time=NOON + shift))
    assert damaged(archive.root, ref, NOON) == []
    for path in archive.root.rglob("*.json"):
        path.write_text("{")
    assert [message.name[:10] for message in damaged(archive.root, ref, NOON)] == ["1795435199", "1795435201"]


def test_who_may_not_open_more_files_is_not_told_of_rights(archive: Archive, spool: Path) -> None:
    archive.store(held(spool))
    (message,) = messages(archive.root)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        with pytest.raises(ArchiveError, match=r": Too many open files$"):
            open_message(message)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_what_else_lies_there_does_not_matter(archive: Archive, spool: Path) -> None:
    (stored,) = archive.store(held(spool))
    day = stored.path.parents[1]
    (archive.root / "README").touch()
    (archive.root / "lost+found").mkdir()
    (archive.root / "link.example").symlink_to("example.org")
    (day.parent / "2026-11-22").symlink_to(day.name)
    (day.parent / "2026-11-21").mkdir()
    (day.parent / "2026-11-20").touch()
    (day.parent / "2026-13-45").mkdir()
    (day / "new" / ".hidden").touch()
    (day / "tmp" / "half").touch()
    (day / "cur" / "put-there-by-hand:2,").write_text("Subject: x\n\n")
    by_hand, message = messages(archive.root)
    assert (by_hand.name, by_hand.envelope, message.name) == ("put-there-by-hand", None, stored.filename)


def test_a_file_in_a_directory_s_place_is_none(archive: Archive) -> None:
    (archive.root / "example.org" / "2026-11-23").mkdir(parents=True)
    (archive.root / "example.org" / "2026-11-23" / "new").touch()
    assert list(messages(archive.root)) == []


def test_finding_by_reference(archive: Archive, spool: Path) -> None:
    references = References()
    times = [NOON + shift for shift in (0, 0, 0, 90_000, 400_000)]
    refs = [references.next(when) for when in times]
    for ref, when in zip(refs, times, strict=True):
        archive.store(held(spool, "joe@example.org", "joe@example.com", ref=ref, time=when))
    for ref in refs:
        found = find(archive.root, ref, NOON + 500_000)
        assert [message.day.domain.name for message in found] == ["example.com", "example.org"]
        assert {message.envelope.ref for message in found if message.envelope} == {ref}
    assert find(archive.root, references.next(NOON + 400_001)) == []


def test_finding_looks_at_the_likely_time_first(archive: Archive, spool: Path) -> None:
    """Of a thousand damaged envelopes and the one wanted, the near one is read and none of the others is needed."""
    ref = References().next(NOON)
    (stored,) = archive.store(held(spool, ref=ref))
    near = [(abs(entry[0] - NOON), entry[1]) for entry in listed(archive.root)]
    assert min(near)[1] == stored.filename
    assert [message.name for message in find(archive.root, ref, NOON)] == [stored.filename]


def test_who_may_not_read_is_told(tmp_path: Path) -> None:
    archive = archive_at(tmp_path / "archive")
    (stored,) = archive.store(held(spool_with(tmp_path / "spool")))
    (message,) = messages(archive.root)
    let_everybody_pass(tmp_path)
    with nobody():
        with pytest.raises(ArchiveError, match="archive: Permission denied; only root and the archive's group may"):
            list(messages(archive.root))
        with pytest.raises(ArchiveError, match="Permission denied; only root and the archive's group may read it"):
            open_message(message)
    for path in (archive.root, archive.root / "example.org", stored.path.parents[1]):
        path.chmod(0o755)
    with nobody(), pytest.raises(ArchiveError, match="new: Permission denied"):
        list(messages(archive.root))


def test_names_of_what_is_there_and_of_what_is_gone(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    assert names(tmp_path) == ["one"]
    assert names(tmp_path / "missing") == []
    with pytest.raises(NotADirectoryError):
        names(tmp_path / "one")
