"""How far a record file may grow: by its own bound, by what one hour may add, and by what its disk has left.

Anyone who can send mail makes the daemon write records. A record that finds no room is not written; verdicts go on.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from typing import NamedTuple

BYTES_PER_MB = 1_000_000
# On a small file system, what must stay free is at most this part of it: otherwise nothing could be written there.
FREE_SHARE = 5
UNBOUNDED = 1 << 62
# How a text of a record ends that was cut.
CUT_MARK = "…(cut)"
# Within this time a file may grow by half of the room that is left until its bound. So a flood never takes all of it:
# when it is over, what comes after it is recorded.
GROWTH_SECONDS = 3600.0


class Bounds(NamedTuple):
    """The bounds of one record file, in bytes; 0: none. Each has the setting that it comes from, for messages.

    most: how large the file may become; most_from: "half of journal.keep_mb = 2000". free: how much its file system
    must have free, as Exim's check_spool_space. setting: what to raise, "journal.keep_mb".
    """

    most: int = 0
    most_from: str = ""
    setting: str = ""
    free: int = 0
    free_from: str = ""


class NoRoom(OSError):
    """A record may not be written. cure: what an administrator can do."""

    def __init__(self, why: str, cure: str) -> None:
        super().__init__(errno.ENOSPC, why)
        self.cure = cure


class Room:
    """Says how many bytes may be appended to one file at a time.

    clock: seconds that never go back.
    """

    def __init__(self, bounds: Bounds, clock: Callable[[], float] = time.monotonic) -> None:
        self.bounds = bounds
        self._clock = clock
        self._hour_ends = float("-inf")
        self._hour_limit = 0

    def begin(self) -> None:
        """Another file takes the place of the one before."""
        self._hour_ends = float("-inf")

    def left(self, fd: int, wanted: int) -> int:
        """Return how many bytes may be appended to the open file. Raises NoRoom where they are less than `wanted`."""
        bounds = self.bounds
        if bounds.free:
            self._check_disk(fd)
        if not bounds.most:
            return UNBOUNDED
        size = os.fstat(fd).st_size
        if size + wanted > bounds.most:
            raise NoRoom(f"it has reached its bound ({bounds.most_from})", f"move it away, or raise {bounds.setting}")
        if self._clock() >= self._hour_ends:
            self._hour_ends = self._clock() + GROWTH_SECONDS
            self._hour_limit = size + (bounds.most - size + 1) // 2
        if size + wanted > self._hour_limit:
            why = f"it has taken half of the room that {bounds.most_from} left it, within an hour"
            raise NoRoom(why, f"see what floods it, or raise {bounds.setting}; it goes on within an hour")
        return self._hour_limit - size

    def _check_disk(self, fd: int) -> None:
        missing = short_of(os.fstatvfs(fd), self.bounds.free)
        if missing:
            raise NoRoom(f"{missing} ({self.bounds.free_from})", "free space there")


def short_of(disk: os.statvfs_result, wanted: int) -> str:
    """Return how a file system is short of `wanted` free bytes, or of FREE_SHARE of a small one; empty: it is not."""
    size = disk.f_blocks * disk.f_frsize
    if not size:  # one of those that have no size, such as a FUSE mount
        return ""
    wanted = min(wanted, size // FREE_SHARE)
    free = disk.f_bavail * disk.f_frsize
    if free >= wanted:
        return ""
    return f"only {free / BYTES_PER_MB:.1f} MB are free there, and {wanted / BYTES_PER_MB:.1f} MB have to be"


def cut_text(text: str, characters: int) -> str:
    """Return a text of at most so many characters; one that was longer ends in CUT_MARK."""
    return text if len(text) <= characters else text[:characters] + CUT_MARK
