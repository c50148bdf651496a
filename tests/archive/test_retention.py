"""Retention: the old go, then the oldest; leftovers of crashes go; what is being archived stays."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eximacl.archive import Archive, ArchiveError, Purge, locked, messages, purge, retention, store
from eximacl.archive.retention import LEFTOVER_SECONDS, SECONDS_PER_DAY, delete_all
from eximacl.archive.writer import Writer
from tests.archive.holding import (
    BODY,
    NOON,
    archive_at,
    files_in,
    held,
    let_everybody_pass,
    names_in,
    nobody,
    spool_with,
    whole,
)
from tests.lab.waiting import until
from tests.state.forks import Tell, children

LATER = NOON + 40 * SECONDS_PER_DAY


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return archive_at(tmp_path / "archive")


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return spool_with(tmp_path / "spool")


def refs_in(root: Path) -> list[str]:
    return [message.envelope.ref for message in messages(root) if message.envelope]


@pytest.mark.parametrize(
    ("keep_days", "kept"),
    [(0, "ABCDEF"), (40, "ABCDEF"), (39, "CDEF"), (31, "CDEF"), (30, "DEF"), (1, "F"), (3, "EF")],
)
def test_by_age(archive: Archive, spool: Path, keep_days: int, kept: str) -> None:
    for ref, days in zip("ABCDEF", (0, 0, 9, 12, 37, 40), strict=True):
        archive.store(held(spool, ref=ref, time=NOON + days * SECONDS_PER_DAY + ord(ref) / 1000))
    done = purge(archive.root, keep_days=keep_days, keep_mb=0, now=LATER)
    assert refs_in(archive.root) == list(kept)
    assert [one.ref for one in done.messages] == [ref for ref in "ABCDEF" if ref not in kept]
    assert all(
        one.why == "archive.keep_days" and "was purged for archive.keep_days" in str(one) for one in done.messages
    )
    assert (done.problems, done.leftovers) == ([], [])
    assert all(map(whole, messages(archive.root)))


def test_by_size_the_oldest_go_first(archive: Archive, tmp_path: Path) -> None:
    spool = spool_with(tmp_path / "spool", b"x" * 400_000)
    for ref, domain in zip("ABCD", ("a.example", "b.example", "a.example", "b.example"), strict=True):
        archive.store(held(spool, f"joe@{domain}", ref=ref, time=NOON + ord(ref)))
    assert purge(archive.root, keep_days=0, keep_mb=2, now=LATER).messages == []
    done = purge(archive.root, keep_days=0, keep_mb=1, now=LATER)
    assert [(one.ref, one.why) for one in done.messages] == [("A", "archive.keep_mb"), ("B", "archive.keep_mb")]
    assert refs_in(archive.root) == ["C", "D"]
    assert 800_000 < done.kept_bytes < 1_000_000
    assert done.messages[0].bytes >= 400_000
    assert str(done.messages[0].path) in str(done.messages[0])


@pytest.fixture
def on_a_disk() -> Iterator[Path]:
    """A directory in which directories take space: /tmp may be in memory, /var/tmp is not (file-hierarchy(7))."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        yield Path(directory)


def test_directories_take_space_too(on_a_disk: Path) -> None:
    """A day that only the oldest message is in gives back its directories with it."""
    archive = archive_at(on_a_disk / "archive")
    spool = spool_with(on_a_disk / "spool", b"")
    for number in range(60):
        archive.store(held(spool, f"joe@{number}.example", ref=f"R{number:02}", time=NOON + number))
    directories = sum(path.lstat().st_blocks * 512 for path in archive.root.glob("*/**") if path.is_dir())
    assert directories > 0
    kept = purge(archive.root, keep_days=0, keep_mb=0, now=LATER).kept_bytes
    assert kept >= directories
    done = purge(archive.root, keep_days=0, keep_mb=1, now=LATER)
    assert 0 < len(done.messages) < 60
    assert done.kept_bytes <= 1_000_000 < done.kept_bytes + kept / 60


def test_copies_for_many_domains_count_once(archive: Archive, tmp_path: Path) -> None:
    spool = spool_with(tmp_path / "spool", b"x" * 400_000)
    archive.store(held(spool, *(f"joe@{letter}.example" for letter in "abcde"), ref="A"))
    archive.store(held(spool, *(f"joe@{letter}.example" for letter in "abcde"), ref="B", time=NOON + 1))
    assert purge(archive.root, keep_days=0, keep_mb=1, now=LATER).messages == []
    archive.store(held(spool, ref="C", time=NOON + 2))
    done = purge(archive.root, keep_days=0, keep_mb=1, now=LATER)
    assert [one.ref for one in done.messages] == ["A"] * 5
    assert len(names_in(archive.root)) == 6


def test_days_that_are_over_and_empty_go(archive: Archive, spool: Path) -> None:
    archive.store(held(spool, "joe@a.example"))
    archive.store(held(spool, "joe@b.example"))
    archive.store(held(spool, "joe@b.example", time=LATER))
    done = purge(archive.root, keep_days=3, keep_mb=0, now=LATER)
    assert {path.parent.name for path in done.days} == {"a.example", "b.example"}
    assert {path.name for path in done.days} == {"2026-11-23"}
    assert [path.name for path in archive.root.iterdir()] == ["b.example"]
    assert (archive.root / "b.example/today").resolve().is_dir()


def test_today_stays_also_when_it_is_empty(archive: Archive, spool: Path) -> None:
    archive.store(held(spool))[0].path.unlink()
    purge(archive.root, keep_days=1, keep_mb=0, now=NOON)
    assert (archive.root / "example.org/today/new").is_dir()


def test_a_day_with_another_s_files_stays(archive: Archive, spool: Path) -> None:
    (stored,) = archive.store(held(spool))
    (stored.path.parents[1] / "dovecot.index").touch()
    assert purge(archive.root, keep_days=1, keep_mb=0, now=LATER).days == []
    assert files_in(archive.root) == ["example.org/2026-11-23/dovecot.index", "example.org/today"]


@pytest.mark.parametrize(("age", "kept"), [(LEFTOVER_SECONDS - 10, True), (LEFTOVER_SECONDS + 10, False)])
@pytest.mark.parametrize("name", ["tmp/1795435200.M0P1Q0.h.example.org", "envelope/x.json", "envelope/.x.json.4711"])
def test_leftovers(archive: Archive, spool: Path, name: str, age: float, kept: bool) -> None:
    (stored,) = archive.store(held(spool))
    leftover = stored.path.parents[1] / name
    leftover.touch()
    for path in (leftover, stored.path, *leftover.parents[1].glob("envelope/*")):
        os.utime(path, (NOON - age, NOON - age))
    done = purge(archive.root, keep_days=0, keep_mb=0, now=NOON)
    assert leftover.exists() is kept
    assert done.leftovers == ([] if kept else [leftover])
    assert all(map(whole, messages(archive.root)))


@pytest.mark.parametrize("directory", ["tmp", "cur"])
def test_an_old_envelope_stays_while_its_message_is_anywhere(archive: Archive, spool: Path, directory: str) -> None:
    (stored,) = archive.store(held(spool))
    day = stored.path.parents[1]
    moved = stored.path.rename(day / directory / (stored.filename + (":2,S" if directory == "cur" else "")))
    os.utime(day / "envelope" / f"{stored.filename}.json", (0, 0))
    assert purge(archive.root, keep_days=0, keep_mb=0, now=NOON).leftovers == []
    assert moved.exists()


def test_a_damaged_envelope_keeps_nothing(archive: Archive, spool: Path) -> None:
    (stored,) = archive.store(held(spool))
    (stored.path.parents[1] / "envelope" / f"{stored.filename}.json").write_text("{")
    (purged,) = purge(archive.root, keep_days=1, keep_mb=0, now=LATER).messages
    assert "(ref unknown, " in str(purged)
    assert files_in(archive.root) == []


@pytest.mark.parametrize("limits", [{"keep_days": 1, "keep_mb": 0}, {"keep_days": 0, "keep_mb": 1}], ids=str)
def test_what_is_being_released_stays(archive: Archive, tmp_path: Path, limits: dict[str, int]) -> None:
    archive.store(held(spool_with(tmp_path / "spool", b"x" * 1_500_000)))
    (message,) = messages(archive.root)
    with locked(message):
        done = purge(archive.root, **limits, now=LATER)
        assert (done.messages, done.problems, done.days) == ([], [], [])
        assert names_in(archive.root) == [message.name]
    assert len(purge(archive.root, **limits, now=LATER).messages) == 1


def test_what_cannot_be_deleted_is_told_and_the_rest_goes(archive: Archive, spool: Path) -> None:
    (stored,) = archive.store(held(spool))
    stored.path.unlink()
    stored.path.mkdir()
    archive.store(held(spool, ref="7KQ2M9D5"))
    done = purge(archive.root, keep_days=1, keep_mb=0, now=LATER)
    assert done.problems == [f"{stored.path}: Is a directory; it cannot be deleted"]
    assert [one.ref for one in done.messages] == ["7KQ2M9D5"]
    assert names_in(archive.root) == [stored.filename]


def test_what_cannot_be_deleted_is_told_when_room_is_wanted(archive: Archive, tmp_path: Path) -> None:
    spool = spool_with(tmp_path / "spool", b"x" * 600_000)
    (stored,) = archive.store(held(spool))
    stored.path.unlink()
    stored.path.mkdir()
    for ref in "BC":
        archive.store(held(spool, ref=ref, time=NOON + ord(ref)))
    done = purge(archive.root, keep_days=0, keep_mb=1, now=LATER)
    assert done.problems == [f"{stored.path}: Is a directory; it cannot be deleted"]
    assert [one.ref for one in done.messages] == ["B"]


def test_what_goes_meanwhile_is_no_problem(archive: Archive, spool: Path) -> None:
    """Between the look at the archive and the deletion, a mail client moves the message, or it is deleted."""
    (stored,) = archive.store(held(spool))
    entries = retention._entries(archive.root)
    stored.path.unlink()
    done = Purge()
    retention._purge_by_size(entries, done, 0)
    assert (done.messages, done.problems) == ([], [])


def test_a_missing_envelope(archive: Archive, spool: Path) -> None:
    (stored,) = archive.store(held(spool))
    (stored.path.parents[1] / "envelope" / f"{stored.filename}.json").unlink()
    (purged,) = purge(archive.root, keep_days=1, keep_mb=0, now=LATER).messages
    assert (purged.path, purged.ref) == (stored.path, "")


def test_an_archive_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"archive\.dir: .*none: No such file or directory"):
        purge(tmp_path / "none", keep_days=1, keep_mb=1, now=LATER)


def test_a_day_that_may_not_be_changed(tmp_path: Path, archive: Archive, spool: Path) -> None:
    archive.store(held(spool))
    let_everybody_pass(tmp_path)
    for path in (archive.root, *archive.root.rglob("*")):
        path.chmod(path.stat().st_mode | 0o005)
    with nobody():
        done = purge(archive.root, keep_days=1, keep_mb=0, now=LATER)
    assert done.messages == []
    assert done.problems[0].endswith("Permission denied; it cannot be deleted")


def test_archiving_into_days_that_are_being_purged(tmp_path: Path) -> None:
    """Four processes archive into an old day, two purge it, all at once; in the end the day goes, too.

    Each message is archived or purged, no archiving fails, and nothing is left of those that were purged. The clock is
    the real one: by it the kernel dates the files, and what is young must not be taken for a leftover.
    """
    now = time.time()
    before = now - 40 * SECONDS_PER_DAY
    root = tmp_path / "archive"
    archive_at(root)
    spool = spool_with(tmp_path / "spool")
    end, removed = tmp_path / "end", tmp_path / "removed"

    def store(tell: Tell) -> None:
        archive = archive_at(root)
        for _ in range(150):
            (stored,) = archive.store(held(spool, time=before))
            tell(f"stored {stored.filename}")

    def sweep(tell: Tell) -> None:
        while not end.exists():
            done = purge(root, keep_days=1, keep_mb=0, now=now)
            assert done.problems == []
            assert done.leftovers == []
            for one in done.messages:
                tell(f"purged {one.path.name}")
            if done.days:
                removed.touch()

    with children(sweep, 2) as sweepers:
        with children(store, 4) as storers:
            stored = [line.split()[1] for child in storers for line in child.rest()]
            assert [child.wait() for child in storers] == [0] * 4
        until(removed.exists, "the day to be removed")
        end.touch()
        told = [line.split() for child in sweepers for line in child.rest()]
        assert [child.wait() for child in sweepers] == [0] * 2
    purged = [name for _, name in told]
    assert len(stored) == 4 * 150
    assert sorted(purged + names_in(root)) == sorted(stored)
    assert len(purged) > 100
    assert all(map(whole, messages(root)))
    purge(root, keep_days=1, keep_mb=0, now=now)
    assert list(root.iterdir()) == []


STEPS = ("create", "make_directory", "write_all", "sync_directory", "_point_today")


@pytest.mark.parametrize("step", range(17))
def test_a_purge_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """A purge runs just before one step of archiving an old message: it is archived, or purged after it was."""
    now = time.time()
    archive = archive_at(tmp_path / "archive")
    spool = spool_with(tmp_path / "spool")
    purged: list[str] = []
    steps: list[str] = []

    def purging(act: Callable[..., Any]) -> Callable[..., Any]:
        def purge_first(*arguments: Any) -> Any:
            if len(steps) == step:
                done = purge(archive.root, keep_days=1, keep_mb=0, now=now)
                assert (done.problems, done.leftovers) == ([], [])
                purged.extend(one.path.name for one in done.messages)
            steps.append(act.__name__)
            return act(*arguments)

        return purge_first

    for name in STEPS:
        owner: Any = Writer if hasattr(Writer, name) else store
        monkeypatch.setattr(owner, name, purging(getattr(owner, name)))
    (stored,) = archive.store(held(spool, time=now - 40 * SECONDS_PER_DAY))
    assert set(steps) == set(STEPS)
    assert len(steps) > step
    assert names_in(archive.root) + purged == [stored.filename]
    assert all(map(whole, messages(archive.root)))
    assert purged or len(files_in(archive.root)) == 3


def test_the_body_is_what_it_was(archive: Archive, spool: Path) -> None:
    (stored,) = archive.store(held(spool))
    purge(archive.root, keep_days=30, keep_mb=1, now=NOON)
    assert stored.path.read_bytes().endswith(BODY)


def test_what_is_deleted_or_moved_before_its_turn_is_not_an_error(tmp_path: Path) -> None:
    archive, spool = archive_at(tmp_path / "archive"), spool_with(tmp_path / "spool")
    for ref in ("7KQ2M9D1", "7KQ2M9D2"):
        archive.store(held(spool, ref=ref, time=NOON + int(ref[-1])))
    selected = list(messages(archive.root))
    selected[0].path.unlink()
    (selected[1].day.cur / f"{selected[1].name}:2,S").hardlink_to(selected[1].path)
    selected[1].path.unlink()
    assert delete_all(archive.root, selected) == (selected, [])
    assert list(messages(archive.root)) == []
