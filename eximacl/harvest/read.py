"""Reading the headers of messages off the disk, no more of them than necessary.

A message that cannot be read is counted with its reason, and the next one is read. Only regular files are read, so that
no pipe or device in a mail store blocks the harvest.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from typing import BinaryIO, Literal, NamedTuple, cast

from eximacl.harvest.dates import nearest
from eximacl.harvest.mbox import (
    GZIP,
    HEADER_BYTES_MAX,
    LOOK_BACK_BYTES,
    TOO_LONG,
    is_mbox,
    mbox_messages,
    open_mbox,
    without_preamble,
)
from eximacl.harvest.message import Broken, Reader, Received
from eximacl.harvest.tally import Tally, Troubles
from eximacl.system.files import open_descriptor

# Most headers fit into the first read; copying more for all costs more than a second read for a few.
FIRST_READ_BYTES = 8 * 1024
READ_BYTES = 64 * 1024

_HEADER_END = re.compile(rb"\n\r?\n")


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
            if is_mbox(header):
                _tally_mbox(found, Chunk("mbox", path), reader, since)
                continue
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
        data = without_preamble(os.read(fd, FIRST_READ_BYTES))
        end = _HEADER_END.search(data)
        if end is None or data.startswith(GZIP):
            return _long_header(fd), int(status.st_mtime)
        return data[: end.start() + 1], int(status.st_mtime)
    finally:
        os.close(fd)


def _tally_mbox(found: Tally, chunk: Chunk, reader: Reader, since: float) -> None:
    try:
        with open_mbox(chunk.path, max(chunk.start - LOOK_BACK_BYTES, 0)) as file:
            status = os.stat(chunk.path)  # noqa: PTH116 (paths are text here)
            changed = nearest(int(status.st_mtime), reader.now)
            nothing = not chunk.start  # a part in the middle may be a part of one message
            for line, header, problem in mbox_messages(file, chunk.start, chunk.end):
                nothing = False
                try:
                    if problem:
                        raise Broken(problem)
                    _count(found, reader.read(header, line), changed, since)
                except Exception as error:
                    name = f"{chunk.path}: {line.decode('utf-8', 'surrogateescape').rstrip()}"
                    note(found.troubles, name, error)
            if nothing:
                raise Broken("it begins as an mbox does, but no header follows")
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
        data = without_preamble(file.read(READ_BYTES))
        while not (end := _HEADER_END.search(data)) and (more := file.read(len(data))):
            data += more
            if len(data) > 2 * HEADER_BYTES_MAX:
                break
    header = data[: end.start() + 1] if end else data
    if len(header) > HEADER_BYTES_MAX:
        raise Broken(TOO_LONG)
    return header
