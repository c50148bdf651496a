"""Reading a file of lines that others write, rename and empty meanwhile.

Only a regular file is read. Anything else in its place is an error; nothing is waited for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from eximacl.system.files import Identity, identity_of, open_regular

# Read and searched at a time; such a block stays in the processor's cache.
BLOCK_BYTES = 1024 * 1024
# Our own lines have some hundred bytes; those of DATA, with many recipients, a few thousand. None of ours is longer.
LINE_BYTES_MAX = 1024 * 1024
# A renamed file is written for another second (appender.LOOK_SECONDS), and a busy machine may be late.
RENAMED_SECONDS = 10.0
# Enough to recognise what was read last: each line has its time and its reference, so no two are the same.
LAST_BYTES = 4096


class Follower:
    """Reads what is appended to a file, through its renaming, its truncation and its absence. Never waits.

    A renamed file is read for RENAMED_SECONDS more, since the writer may not have noticed yet. clock: monotonic, in
    seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.path = path
        self._clock = clock
        self._open: list[_Followed] = []

    def look(self) -> set[Identity]:
        """Open the file at the path if it is not the one from before; return all that are being read."""
        self._look()
        return {followed.identity for followed in self._open}

    def read(self) -> Iterator[bytes]:
        """Yield blocks of whole lines that are new since the last call; at the first, all there are."""
        self._look()
        for followed in tuple(self._open):
            yield from followed.read()
            if followed.until is not None and self._clock() > followed.until:
                followed.file.close()
                self._open.remove(followed)

    def close(self) -> None:
        """Close all files."""
        for followed in self._open:
            followed.file.close()
        self._open.clear()

    def _look(self) -> None:
        try:
            file = open_regular(self.path)
        except FileNotFoundError:
            self._mark_renamed()
            return
        status = os.fstat(file.fileno())
        found = identity_of(status)
        if any(followed.identity == found for followed in self._open):
            file.close()
            return
        self._mark_renamed()
        self._open.append(_Followed(file, found))

    def _mark_renamed(self) -> None:
        for followed in self._open:
            if followed.until is None:
                followed.until = self._clock() + RENAMED_SECONDS


@dataclass(slots=True)
class _Followed:
    """One open file.

    until: when it is closed, once it has been renamed. rest: the line that has no end yet. last: what was read last; it
    shows whether the file was emptied and has grown again.
    """

    file: IO[bytes]
    identity: Identity
    until: float | None = None
    rest: bytes = b""
    last: bytes = b""

    def read(self) -> Iterator[bytes]:
        if not self._goes_on():
            self.file.seek(0)
            self.rest = self.last = b""
        while block := self.file.read(BLOCK_BYTES):
            self.last = (self.last + block)[-LAST_BYTES:]
            whole, newline, self.rest = (self.rest + block).rpartition(b"\n")
            if newline:
                yield whole + newline
            elif len(self.rest) > LINE_BYTES_MAX:
                yield self.rest + b"\n"
                self.rest = b""

    def _goes_on(self) -> bool:
        return os.pread(self.file.fileno(), len(self.last), self.file.tell() - len(self.last)) == self.last
