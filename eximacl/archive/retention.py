"""How long messages stay: the oldest go first, by age and by the space that all of them take; or those you select.

What is being archived or released is never touched. A message that is being written has a file in `tmp/` or a young
envelope; only empty directories are removed, `tmp/` first, and `store` makes them again. A message that is being
released has its day locked, and no message of that day is deleted before the next purge.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from eximacl.archive.change import delete, locked
from eximacl.archive.errors import ArchiveError, NoSuchMessage
from eximacl.archive.index import Message, days, listed, names, read_envelope
from eximacl.archive.layout import TODAY, Day, base_name, day_of, safe_name
from eximacl.mail.lists import Domains
from eximacl.system.locks import directory_lock

SECONDS_PER_DAY = 86_400
BYTES_PER_MB = 1_000_000
# An older file cannot belong to a message on its way: archiving one takes seconds.
LEFTOVER_SECONDS = 86_400
BLOCK_BYTES = 512  # stat(2), st_blocks


@dataclass(frozen=True, slots=True)
class Purged:
    """A message that was deleted. ref: its reference, empty where its envelope was damaged; why: the setting."""

    path: Path
    ref: str
    bytes: int
    why: str

    def __str__(self) -> str:
        return f"{self.path} (ref {self.ref or 'unknown'}, {self.bytes} bytes) was purged for {self.why}"


@dataclass(slots=True)
class Purge:
    """What one purge has done.

    kept_bytes: the space that all messages still take; problems: what cannot be deleted, and why.
    """

    messages: list[Purged] = field(default_factory=list)
    leftovers: list[Path] = field(default_factory=list)
    days: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    kept_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which messages to delete by hand; everything given must hold.

    before: those held before then, in seconds since 1970. ref: a (normalised) reference. domains: of recipients.
    released: those that were released.
    """

    before: float | None = None
    ref: str | None = None
    domains: Domains | None = None
    released: bool = False

    def covers(self, message: Message) -> bool:
        """Whether a message is selected. One with a damaged envelope has no known reference or release."""
        envelope = message.envelope
        if self.released and (envelope is None or all(note.state != "sent" for note in envelope.released)):
            return False
        if self.before is not None and message.time >= self.before:
            return False
        if self.ref is not None and (envelope is None or envelope.ref != self.ref):
            return False
        if self.domains is None:
            return True
        if envelope is None:
            return message.day.domain.name in map(safe_name, self.domains)
        return any(recipient.rpartition("@")[2] in self.domains for recipient in envelope.recipients)


class Deleted(NamedTuple):
    """The messages that were deleted, and what is wrong with those that could not be."""

    messages: list[Message]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A message with the space that goes with it, by inode: its files', the message's own first, and its directories'.

    The copies for several domains share the message, and the messages of a day its directories.
    """

    name: str
    path: Path
    day: Day
    space: tuple[tuple[int, int], ...]


def purge(root: Path, *, keep_days: int, keep_mb: int, now: float) -> Purge:
    """Delete messages older than `keep_days`, then the oldest until all take at most `keep_mb` megabytes (0: no limit).

    Also deletes what crashes left behind LEFTOVER_SECONDS ago, and the directories of days that are over and empty.
    now: seconds since 1970. Raises ArchiveError for an archive that cannot be read at all.
    """
    done = Purge()
    kept = _purge_by_age(_entries(root), done, day_of(now - keep_days * SECONDS_PER_DAY) if keep_days else "")
    _purge_by_size(kept, done, keep_mb * BYTES_PER_MB if keep_mb else None)
    for day in days(root):
        with _noting(done):
            _clear(day, done, now - LEFTOVER_SECONDS)
            if day.path.name < day_of(now) and _remove_empty(day):
                done.days.append(day.path)
    return done


def delete_all(root: Path, selected: Iterable[Message]) -> Deleted:
    """Delete messages, but none while it is being released, and the days that are empty then. Raises ArchiveError."""
    done = Deleted([], [])
    for message in selected:
        # Without an envelope it cannot be released, and so needs no lock.
        lock = locked(message) if message.envelope else contextlib.nullcontext()
        try:
            with contextlib.suppress(NoSuchMessage), lock:
                delete(message)
            done.messages.append(message)
        except ArchiveError as error:
            done.problems.append(str(error))
    done.problems.extend(purge(root, keep_days=0, keep_mb=0, now=time.time()).problems)
    return done


def _entries(root: Path) -> list[_Entry]:
    """Return all messages, the oldest first, each with the space that it takes. Raises ArchiveError."""
    found: list[_Entry] = []
    directories: dict[Path, tuple[tuple[int, int], ...]] = {}
    for _, name, path, day in listed(root):
        if day.path not in directories:
            directories[day.path] = tuple(map(_space, day.directories))
        space = (_space(path), _space(day.envelope(name)), *directories[day.path])
        found.append(_Entry(name, path, day, space))
    return found


def _space(path: Path) -> tuple[int, int]:
    """Return a file's inode and the bytes that it takes on the disk; nothing where it is gone."""
    try:
        found = path.lstat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_blocks * BLOCK_BYTES


def _purge_by_age(entries: list[_Entry], done: Purge, first: str) -> list[_Entry]:
    """Delete the messages of days before `first`; return the others."""
    kept = []
    for entry in entries:
        if entry.day.path.name >= first or not _delete(entry, done, "archive.keep_days"):
            kept.append(entry)
    return kept


def _purge_by_size(entries: list[_Entry], done: Purge, limit: int | None) -> None:
    """Delete the oldest messages until the others take at most `limit` bytes; None: no limit."""
    # Copies of a message share its bytes, and the messages of a day its directories. Each takes its space once, which
    # is free when the last one goes.
    links = Counter(inode for entry in entries for inode, _ in entry.space)
    done.kept_bytes = sum({inode: size for entry in entries for inode, size in entry.space}.values())
    for entry in entries:
        if limit is None or done.kept_bytes <= limit:
            return
        if _delete(entry, done, "archive.keep_mb"):
            links.subtract(inode for inode, _ in entry.space)
            done.kept_bytes -= sum(size for inode, size in entry.space if not links[inode])


def _delete(entry: _Entry, done: Purge, why: str) -> bool:
    """Delete a message, then its envelope; return whether it is gone. One that is being released stays."""
    envelope = entry.day.envelope(entry.name)
    ref = ""
    gone = False
    with _noting(done), contextlib.suppress(BlockingIOError), directory_lock(entry.day.path, wait=False, follow=False):
        with contextlib.suppress(ArchiveError):
            ref = read_envelope(envelope).ref
        entry.path.unlink()
        gone = True
        done.messages.append(Purged(entry.path, ref, entry.space[0][1], why))
        envelope.unlink(missing_ok=True)
    return gone


def _clear(day: Day, done: Purge, before: float) -> None:
    """Delete old files in `tmp/`, and old envelopes whose message is nowhere. Raises OSError."""
    for path in _older(day.tmp, before):
        path.unlink(missing_ok=True)
        done.leftovers.append(path)
    envelopes = _older(day.envelopes, before)
    # Looked at after the envelopes, and in the order in which messages move, so that none is missed.
    there = {base_name(name) for directory in (day.tmp, day.new, day.cur) for name in names(directory)}
    for path in envelopes:
        if path.name.removesuffix(".json") not in there:
            path.unlink(missing_ok=True)
            done.leftovers.append(path)


def _older(directory: Path, before: float) -> list[Path]:
    found = []
    for name in names(directory):
        with contextlib.suppress(FileNotFoundError):
            if (directory / name).lstat().st_mtime < before:
                found.append(directory / name)
    return found


def _remove_empty(day: Day) -> bool:
    """Remove a day in which nothing is, and its domain if it was the last one; return whether the day is gone."""
    if any(names(directory) for directory in (day.tmp, day.new, day.cur, day.envelopes)):
        return False
    with contextlib.suppress(OSError):
        for directory in (day.tmp, day.new, day.cur, day.envelopes):
            with contextlib.suppress(FileNotFoundError):
                directory.rmdir()
        day.path.rmdir()
        _remove_domain(day)
        return True
    return False


def _remove_domain(day: Day) -> None:
    """Remove the link that points to nothing now, and the domain's directory if that was all."""
    link = day.domain / TODAY
    with contextlib.suppress(OSError):
        if str(link.readlink()) == day.path.name and not link.exists():
            link.unlink()
        day.domain.rmdir()


@contextlib.contextmanager
def _noting(done: Purge) -> Iterator[None]:
    """Note what cannot be deleted, and go on: because of one such file, the archive must not grow for ever."""
    try:
        yield
    except FileNotFoundError:
        pass  # a mail client has moved it, or it was deleted
    except OSError as error:
        done.problems.append(f"{error.filename}: {error.strerror}; it cannot be deleted")
