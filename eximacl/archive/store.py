"""Putting a held message into the archive, before its sender is told that it was refused.

A message is archived exactly when it is in `new/` (or `cur/`), and then all of it is on the disk, with its envelope.
Whatever happens before that moment, even a `kill -9`, leaves nothing in `new/`.

The name is reserved by creating the envelope's file, so that no two messages ever share one. The message is written in
`tmp/` and fsynced. Then the envelope is written and fsynced, since it holds the message's hash. Then the message is
renamed into `new/`, and the directories are fsynced. A purge in another process may remove a directory that is still
empty at any time; then it is made again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from eximacl.archive.envelope import Envelope, format_envelope
from eximacl.archive.errors import ArchiveError
from eximacl.archive.layout import MAX_HOST_CHARACTERS, TODAY, Day, day_of, safe_name
from eximacl.archive.spool import body_chunks, message_headers, open_body
from eximacl.archive.writer import Writer
from eximacl.mail.address import parse_quoted
from eximacl.records.room import short_of
from eximacl.system.files import sync_directory, write_all

T = TypeVar("T")

# Read and written at a time. A message needs no more memory than this, however large it is.
CHUNK_BYTES = 1024 * 1024
# Each domain has directories of its own: eleven inodes the first time in a day, and several fsyncs. A message to more
# of our domains than this is nobody's mail.
DOMAINS_MAX = 100
# How often a directory may be removed before we use it. A purge does so once a day, and only while it is empty.
TRIES = 16

# One counter for the whole process, so that two archives in it never make the same name.
_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A message to archive.

    envelope: what is known of it so far, with all held recipients; its time is now. Its size and sha256 are not read.
    headers: `$message_headers_raw`. spool, id, queue: where Exim has the body (`open_body`).
    """

    envelope: Envelope
    headers: str
    spool: str
    id: str
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """One copy in the archive: the name of its file, its path in `new/`, and what is known of it."""

    filename: str
    path: Path
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class _Draft:
    """A copy that is not in the archive yet."""

    name: str
    day: Day
    recipients: tuple[str, ...]

    @property
    def envelope(self) -> Path:
        """The file that reserves the name."""
        return self.day.envelope(self.name)

    @property
    def private(self) -> Path:
        """Where the message is written."""
        return self.day.tmp / self.name

    @property
    def public(self) -> Path:
        """Where it counts as archived."""
        return self.day.new / self.name


class Archive:
    """The archive at `root`, for writing. `store` may be called by several threads and processes at once.

    group: of all files and directories, by name or number; empty: that of the process. host: in the names of files.
    free: how many bytes its file system must have left (`short_of`). Raises ArchiveError for a group that does not
    exist.
    """

    def __init__(self, root: Path, group: str = "", host: str = "", *, free: int = 0) -> None:
        self.root = root
        self._free = free
        self.writer = Writer(root, group)
        self._host = safe_name(host or socket.gethostname(), MAX_HOST_CHARACTERS)

    def prepare(self) -> None:
        """Make the archive's directory where it is missing. Raises ArchiveError."""
        self.writer.prepare()

    def store(self, held: Held) -> tuple[Stored, ...]:
        """Archive a message: one copy for each domain of its recipients, in their order. All of them or none.

        A message for more than DOMAINS_MAX domains is not archived, nor is any where the disk is short of space.
        Returns once they are on the disk; that takes several fsyncs. Raises ArchiveError; then nothing is left behind.
        """
        known = held.envelope
        if not known.recipients:
            raise ArchiveError(f"{known.ref}: the message has no held recipient")
        headers = message_headers(held.headers, held.id).encode("utf-8", "surrogateescape")
        drafts: list[_Draft] = []
        self._check_space(known.ref)
        with open_body(held.spool, held.id, held.queue) as body, self.writer.explained():
            try:
                for draft in self._drafts(known):
                    self._reserve(draft)
                    drafts.append(draft)
                # The bytes are written once; each other domain's copy is a link to them.
                size, digest = self._write_message(drafts[0], headers, body)
                for copy in drafts[1:]:
                    self._link(drafts[0], copy)
                whole = dataclasses.replace(known, size=size, sha256=digest)
                copies = [dataclasses.replace(whole, recipients=draft.recipients) for draft in drafts]
                for draft, envelope in zip(drafts, copies, strict=True):
                    self._write_envelope(draft, envelope)
                # Only now: until here, a failure leaves no copy behind.
                for draft in drafts:
                    self._publish(draft)
            except BaseException:
                _discard(drafts)
                raise
        return tuple(Stored(draft.name, draft.public, one) for draft, one in zip(drafts, copies, strict=True))

    def _check_space(self, ref: str) -> None:
        """Leave the disk what others need. Where it cannot be asked, writing says why."""
        if not self._free:
            return
        with contextlib.suppress(OSError):
            missing = short_of(os.statvfs(self.root), self._free)
            if missing:
                raise ArchiveError(f"{ref}: {self.root}: {missing} (archive.free_mb); free space there")

    def _drafts(self, known: Envelope) -> list[_Draft]:
        """Return a draft for each domain."""
        numbers = f"{int(known.time)}.M{int(known.time % 1 * 1_000_000):06d}P{os.getpid()}Q{next(_numbers)}"
        by_domain: dict[str, list[str]] = {}
        for recipient in known.recipients:
            by_domain.setdefault(safe_name(parse_quoted(recipient).domain), []).append(recipient)
        if len(by_domain) > DOMAINS_MAX:
            many = f"the message is for {len(by_domain)} domains"
            raise ArchiveError(f"{known.ref}: {many}, and one of more than {DOMAINS_MAX} is not kept")
        return [
            _Draft(f"{numbers}.{self._host}.{domain}", Day(self.root / domain / day_of(known.time)), tuple(recipients))
            for domain, recipients in by_domain.items()
        ]

    def _reserve(self, draft: _Draft) -> None:
        self.writer.refuse_links(draft.day.domain, draft.day.path)
        os.close(self._in(draft.day, lambda: self.writer.create(draft.envelope)))

    def _write_message(self, draft: _Draft, headers: bytes, body: BinaryIO) -> tuple[int, str]:
        """Write the message in `tmp/`, on the disk; return its size and SHA-256."""
        digest, size = hashlib.sha256(), 0
        fd = self._in(draft.day, lambda: self.writer.create(draft.private))
        with os.fdopen(fd, "wb", buffering=0) as file:
            for chunk in itertools.chain((headers, b"\n"), body_chunks(body, CHUNK_BYTES)):
                digest.update(chunk)
                size += len(chunk)
                write_all(file, chunk)
            os.fsync(fd)
        return size, digest.hexdigest()

    def _link(self, first: _Draft, copy: _Draft) -> None:
        """Make a copy for another domain that shares the message's place on the disk."""
        self._in(copy.day, lambda: os.link(first.private, copy.private))

    def _write_envelope(self, draft: _Draft, envelope: Envelope) -> None:
        with draft.envelope.open("r+b", buffering=0) as file:
            write_all(file, format_envelope(envelope))
            os.fsync(file.fileno())
        sync_directory(draft.day.envelopes)

    def _publish(self, draft: _Draft) -> None:
        """Move the message into `new/`: now it is archived. All directories on the way there are on the disk, too."""
        _point_today(draft.day)
        self._in(draft.day, lambda: draft.private.rename(draft.public))
        with contextlib.suppress(FileNotFoundError):  # purged already, with its directories
            for directory in (draft.day.new, draft.day.path, draft.day.domain, self.root):
                sync_directory(directory)

    def _in(self, day: Day, act: Callable[[], T]) -> T:
        """Do what needs the day's directories. They are made where they are missing, or were purged in the middle.

        Raises OSError.
        """
        for _ in range(TRIES):
            try:
                return act()
            except FileNotFoundError:
                with contextlib.suppress(FileNotFoundError):
                    for directory in day.directories:
                        self.writer.make_directory(directory)
        return act()


def _point_today(day: Day) -> None:
    """Make `today` point to this day, in one step. It is a convenience: where that fails, the message is archived."""
    link = day.domain / TODAY
    private = day.domain / f".{TODAY}.{os.getpid()}"
    with contextlib.suppress(OSError):
        if link.is_symlink() and str(link.readlink()) == day.path.name:
            return
        try:
            private.symlink_to(day.path.name)
            private.rename(link)
        finally:
            private.unlink(missing_ok=True)


def _discard(drafts: Iterable[_Draft]) -> None:
    for draft in drafts:
        for path in (draft.public, draft.private, draft.envelope):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
