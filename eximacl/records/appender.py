"""Appending records to a file without delaying a query: `write` never waits and never raises.

A record is kept in memory and written with the others of the next FLUSH_SECONDS, when their replies have long been
sent. So a `kill -9` loses at most the records of the last FLUSH_SECONDS; an orderly end loses none.

Why a timer and not the end of each turn of the event loop: at 3,000 queries a second a turn handles one, and writing to
two files in each turn costs a query 21 µs of CPU; with the timer it is 5 µs. At full load the two are alike.

Each file has one writing process. Renaming or deleting it under the writer is safe: the writer looks at most once a
second, and creates it again; what is written in between goes into the renamed file.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from eximacl.records.room import Bounds, NoRoom, Room
from eximacl.system.files import PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE, Identity, identity, identity_of
from eximacl.system.throttle import Throttle

FLUSH_SECONDS = 0.05
# How soon a renamed file is noticed, and how soon a full disk is tried again.
LOOK_SECONDS = 1.0
# Some ten thousand decisions: minutes on a busy host, in which its admin can free space.
MAX_BACKLOG_BYTES = 8 * 1024 * 1024
NEVER = float("-inf")
# O_NONBLOCK: a FIFO without a reader must not stop the daemon. O_NOCTTY: a terminal does not become ours.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
# One write; with more, the kernel's copying would block the event loop for milliseconds.
MAX_WRITE_BYTES = 1024 * 1024

NOT_REGULAR = "it is not a regular file"

# Calls a function after that many seconds; `asyncio.loop.call_later` is one.
Later = Callable[[float, Callable[[], None]], object]

log = logging.getLogger("eximacl")


class Appender:
    """Appends records to the file at `path`, which need not exist yet.

    key: the setting that names the file, for log messages. later: a timer, which flushes what was written; without
    one the owner calls `flush`. newline: where the file ends within a line, begin a new one first. bounds: how far it
    may grow; what finds no room waits and is dropped as on a full disk.
    """

    def __init__(
        self,
        path: Path,
        *,
        key: str,
        later: Later | None = None,
        newline: bool = False,
        bounds: Bounds | None = None,
    ) -> None:
        self.path = path
        self._key = key
        self._later = later
        self._newline = newline
        self._room = Room(bounds or Bounds())
        self._fd = -1
        self._file: Identity | None = None
        self._looked = NEVER
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._torn = 0  # bytes of the first waiting record that are in the file already
        self._scheduled = False
        self._quiet = Throttle()
        self._failing = False
        self._reason = ""
        self._dropped = 0
        self._lost = 0

    def write(self, record: bytes) -> None:
        """Take a record. It is dropped, and counted, where MAX_BACKLOG_BYTES are waiting already."""
        if self._waiting_bytes > MAX_BACKLOG_BYTES:
            self._dropped += 1
            self._lost += 1
            return
        self._waiting.append(record)
        self._waiting_bytes += len(record)
        if not self._scheduled and self._later is not None:
            self._scheduled = True
            self._later(FLUSH_SECONDS, self._flush_in_time)

    def flush(self) -> bool:
        """Write all waiting records. Returns False where that fails; then the rest is kept, and the reason logged."""
        try:
            while self._waiting:
                self._open()
                self._write_some()
        except OSError as error:
            self._failed(error)
            return False
        if self._failing:
            self._recovered()
        return True

    def reopen(self, path: Path | None = None, bounds: Bounds | None = None) -> None:
        """Write what is waiting to the open file, then go on with the one at `path` (default: the same path)."""
        if bounds is not None:
            self._room.bounds = bounds
        self.flush()
        self._close_file()
        if path is not None:
            self.path = path
        self.flush()

    def close(self) -> None:
        """Flush and close. What cannot be written now is lost, which is logged. Twice is harmless."""
        if not self.flush():
            log.error(
                "%s: %s: %d records are lost, since they cannot be written", self._key, self.path, len(self._waiting)
            )
            self._lost += len(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
        self._close_file()

    @property
    def lost(self) -> int:
        """How many records were never written, since the daemon's start."""
        return self._lost

    @property
    def backlog(self) -> tuple[int, int]:
        """How many records are waiting, and how many were dropped since the file was last writable."""
        return len(self._waiting), self._dropped

    @property
    def trouble(self) -> str:
        """Why records cannot be written at the moment, for an admin; empty: they can."""
        if not self._failing:
            return f"{self._key}: {self.path}: {NOT_REGULAR}" if _is_something_else(self.path) else ""
        lost = f", {self._dropped} are lost" if self._dropped else ""
        return f"{self._key}: {self.path}: {self._reason}; {len(self._waiting)} records wait{lost}"

    def _flush_in_time(self) -> None:
        self._scheduled = False
        if not self.flush() and self._later is not None:
            self._scheduled = True
            self._later(LOOK_SECONDS, self._flush_in_time)

    def _open(self) -> None:
        """Make sure that the open file is the one at `path`; look only once in LOOK_SECONDS."""
        now = time.monotonic()
        if self._fd >= 0 and now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if self._fd >= 0 and identity(self.path) == self._file:
            return
        self._close_file()
        self.path.parent.mkdir(PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
        self._fd = os.open(self.path, _FLAGS, PRIVATE_FILE_MODE)
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode):
            self._close_file()
            raise OSError(errno.EINVAL, NOT_REGULAR, str(self.path))
        if self._file != identity_of(found):  # not only closed and opened again, as by a reload
            self._room.begin()
        self._file = identity_of(found)
        if self._newline:
            self._end_line(found.st_size)

    def _end_line(self, size: int) -> None:
        try:
            if size and os.pread(self._fd, 1, size - 1) != b"\n":
                os.write(self._fd, b"\n")
        except OSError:
            self._close_file()  # so that the next try does not write into the torn line
            raise

    def _write_some(self) -> None:
        """Write a batch. A full disk may cut a write short; then the rest of that record comes next."""
        first = len(self._waiting[0])
        most = max(first, min(MAX_WRITE_BYTES, self._room.left(self._fd, first - self._torn)))
        batch: list[bytes] = []
        size = 0
        for record in self._waiting:
            size += len(record)
            if batch and size > most:
                break
            batch.append(record)
        data = b"".join(batch)
        written = os.write(self._fd, memoryview(data)[self._torn :]) + self._torn
        self._torn = 0
        for record in batch:
            if written < len(record):
                self._torn = written
                break
            written -= len(record)
            self._waiting.popleft()
            self._waiting_bytes -= len(record)

    def _close_file(self) -> None:
        """Close. A record that is only partly in the old file is written whole into the next one."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._torn = 0

    def _failed(self, error: OSError) -> None:
        self._failing = True
        self._reason = error.strerror or str(error)
        self._looked = NEVER  # look at the path again at the next try: perhaps it is wrong
        if self._quiet.due() is not None:
            waiting, dropped = self.backlog
            log.error(
                "cannot write %s: %s; %s (%d records waiting, %d dropped)",
                self.path, error.strerror, self._cure(error), waiting, dropped,
            )  # fmt: skip

    def _cure(self, error: OSError) -> str:
        if isinstance(error, NoRoom):
            return error.cure
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return "free space there" if full else f"mend it or change {self._key}"

    def _recovered(self) -> None:
        log.warning("%s can be written again; %d records were dropped", self.path, self._dropped)
        self._failing = False
        self._dropped = 0
        self._quiet.reset()


def _is_something_else(path: Path) -> bool:
    """Return whether there is something at `path` to which no record can be appended, such as a FIFO."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # not there yet, or writing will say why
        return False
