"""Reading the headers of messages off the disk, no more of them than necessary.

A message that cannot be read is counted with its reason, and the next one is read. Only regular files are read, so that
no pipe or device in a mail store blocks the harvest.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, cast

from eximacl.harvest.dates import nearest
from eximacl.harvest.message import Broken, Reader, Received
from eximacl.harvest.tally import Tally, Troubles
from eximacl.system.files import open_descriptor, open_regular

# Most headers fit into the first read; copying more for all costs more than a second read for a few.
FIRST_READ_BYTES = 8 * 1024
READ_BYTES = 64 * 1024
# As much as Exim takes (header_maxsize, Exim specification chapter 14); no message has more.
HEADER_BYTES_MAX = 1024 * 1024
MBOX_READ_BYTES = 1024 * 1024
# An empty line, perhaps of CR and LF, and the end of the line before it.
LOOK_BACK_BYTES = 4

GZIP = b"\x1f\x8b"
MBOX = b"From "
_HEADER_END = re.compile(rb"\n\r?\n")
# What can follow an mbox's `From ` line. Otherwise that is a line of a body that nobody quoted.
_FIRST_FIELD = re.compile(rb">?(?:[!-9;-~]+[ \t]*:|From )")
_TOO_LONG = f"its header is longer than {HEADER_BYTES_MAX // 1024} KiB"


class Chunk(NamedTuple):
    """A piece of work: files of one directory, or a part of an mbox.

    start, end: the messages whose first byte lies between them; end 0: all (a compressed mbox). weight: about how many
    messages, for the progress bar.
    """

    kind: Literal["files", "mbox"]
    path: str
    names: tuple[str, ...] = ()
    start: int = 0
    end: int = 0
    weight: int = 0


def tally(chunk: Chunk, reader: Reader, since: float = 0.0) -> Tally:
    """Read a chunk. Nothing that a message or a file holds raises an error.

    since: seconds since 1970; earlier messages are read, but their recipients are not counted.
    """
    found = Tally()
    if chunk.kind == "mbox":
        _tally_mbox(found, chunk, reader, since)
        return found
    for name in chunk.names:
        path = f"{chunk.path}/{name}"
        try:
            header, seconds = read_header(path)
            _count(found, reader.read(header), nearest(seconds, reader.now), since)
        except Exception as error:  # whatever it is, the next message can be read
            note(found.troubles, path, error)
    return found


def note(troubles: Troubles, path: str, error: Exception) -> None:
    """Count what could not be read, with its reason."""
    if isinstance(error, FileNotFoundError):
        troubles.add("vanished", path, "it is gone, or has been renamed")
    elif isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
        troubles.add("unreadable", path, error.strerror or str(error))
    elif isinstance(error, Broken | EOFError | zlib.error | gzip.BadGzipFile):
        troubles.add("broken", path, str(error))
    else:
        troubles.add("broken", path, f"{type(error).__name__}: {error}")


def read_header(path: str) -> tuple[bytes, int]:
    """Return the header of the message in a file, and when the file was last changed. Raises OSError and Broken."""
    fd, status = open_descriptor(path)
    try:
        data = os.read(fd, FIRST_READ_BYTES)
        end = _HEADER_END.search(data)
        if end is None or data.startswith(GZIP):
            return _long_header(fd), int(status.st_mtime)
        return data[: end.start() + 1], int(status.st_mtime)
    finally:
        os.close(fd)


@contextlib.contextmanager
def open_mbox(path: str, start: int = 0) -> Iterator[BinaryIO]:
    """Open an mbox at a byte; a compressed one at its beginning. Raises OSError."""
    with open_regular(Path(path)) as plain:
        compressed = plain.read(len(GZIP)) == GZIP
        plain.seek(0 if compressed else start)
        if not compressed:
            yield plain
            return
        with gzip.GzipFile(fileobj=plain) as file:
            yield cast("BinaryIO", file)


def mbox_messages(file: BinaryIO, start: int = 0, end: int = 0) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the `From ` line and the header of each message that begins at `start` or after, and before `end` (0: all).

    file: positioned LOOK_BACK_BYTES before `start`, or at 0. A header that is too long is None. Messages are separated
    as in RFC 4155: by an empty line and a line `From …`, before a header field.
    """
    window = _MboxWindow(file, start)
    while window.find_separator(end):
        line_end, header_end = window.header()
        if not _FIRST_FIELD.match(window.data, line_end + 1):
            window.at += 1
            continue
        line = window.data[window.at : line_end]
        too_long = header_end - line_end > HEADER_BYTES_MAX
        header = None if too_long else window.data[line_end + 1 : header_end]
        window.at = max(header_end - 1, window.at + 1)
        yield line, header


class _MboxWindow:
    """The part of an mbox that is in memory. at: an index into `data`; find_separator moves it to the next `From `."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file = file
        self._start = start
        # As if an empty line stood before the first line of the file.
        self.data = b"" if start else b"\n\n"
        self._base = max(start - LOOK_BACK_BYTES, 0) if start else -2
        self.at = 0

    @property
    def position(self) -> int:
        """Where `at` is in the file, in bytes."""
        return self._base + self.at

    def find_separator(self, end: int = 0) -> bool:
        """Go to the next line that starts with `From ` after an empty one; False: none before `end` (0: at all)."""
        while not end or self.position < end:
            found = self.data.find(b"\n" + MBOX, max(self.at - 1, 0))
            if found < 0:
                # The last few bytes may be the beginning of one.
                self.at = max(self.at, len(self.data) - len(MBOX))
                if not self._more():
                    return False
                continue
            self.at = found + 1
            # An empty line ends in LF LF, or in LF CR LF.
            before = self.data[max(found - 2, 0) : found]
            if (before[-1:] == b"\n" or before == b"\n\r") and self.position >= self._start:
                return not end or self.position < end
            self.at += 1
        return False

    def header(self) -> tuple[int, int]:
        """Return the indexes at which the `From ` line ends, and the header after it."""
        searched = self.at
        while True:
            match = _HEADER_END.search(self.data, searched)
            if match is not None or len(self.data) - self.at > HEADER_BYTES_MAX or not self._more():
                break
            searched = self.at
        header_end = len(self.data) if match is None else match.start() + 1
        line_end = self.data.find(b"\n", self.at)
        return (line_end, header_end) if line_end >= 0 else (header_end, header_end)

    def _more(self) -> bool:
        """Read on, and forget what lies well before `at`; False: the file has ended."""
        read = self._file.read(MBOX_READ_BYTES)
        forgotten = max(self.at - LOOK_BACK_BYTES, 0)
        self.data = self.data[forgotten:] + read
        self._base += forgotten
        self.at -= forgotten
        return bool(read)


def _tally_mbox(found: Tally, chunk: Chunk, reader: Reader, since: float) -> None:
    try:
        with open_mbox(chunk.path, max(chunk.start - LOOK_BACK_BYTES, 0)) as file:
            status = os.stat(chunk.path)  # noqa: PTH116 (paths are text here)
            changed = nearest(int(status.st_mtime), reader.now)
            for line, header in mbox_messages(file, chunk.start, chunk.end):
                try:
                    if header is None:
                        raise Broken(_TOO_LONG)
                    _count(found, reader.read(header, line), changed, since)
                except Exception as error:
                    name = f"{chunk.path}: {line.decode('utf-8', 'surrogateescape').rstrip()}"
                    note(found.troubles, name, error)
    except Exception as error:
        note(found.troubles, chunk.path, error)


def _count(found: Tally, message: Received, changed: int, since: float) -> None:
    found.messages += 1
    seconds = changed if message.seconds is None else message.seconds
    if message.recipients and seconds >= since:
        found.add(message.recipients, seconds)


def _long_header(fd: int) -> bytes:
    """Return a header longer than the first read, or one in a compressed file (Dovecot's zlib plugin writes those)."""
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb") as plain:
        compressed = plain.peek(len(GZIP)).startswith(GZIP)
        file = cast("BinaryIO", gzip.GzipFile(fileobj=plain)) if compressed else plain
        data = file.read(READ_BYTES)
        while not (end := _HEADER_END.search(data)) and (more := file.read(len(data))):
            data += more
            if len(data) > 2 * HEADER_BYTES_MAX:
                break
    header = data[: end.start() + 1] if end else data
    if len(header) > HEADER_BYTES_MAX:
        raise Broken(_TOO_LONG)
    return header
