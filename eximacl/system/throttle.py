"""Complaints that could come thousands of times a second. Rule: the first is told, then one a minute with a count."""

from __future__ import annotations

import time
from collections.abc import Callable

# Often enough to notice, seldom enough that a broken disk does not fill another with complaints about it.
REPEAT_SECONDS = 60.0


class Throttle:
    """Says when one kind of complaint is due again.

    clock: seconds that never go back.
    """

    __slots__ = ("_clock", "_kept_back", "_next")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = float("-inf")
        self._kept_back = 0

    def due(self) -> int | None:
        """Return None when it is too soon; else how many complaints were kept back since the last one told."""
        now = self._clock()
        if now < self._next:
            self._kept_back += 1
            return None
        self._next = now + REPEAT_SECONDS
        kept_back, self._kept_back = self._kept_back, 0
        return kept_back

    def reset(self) -> None:
        """The trouble is over: tell the next complaint at once."""
        self._next = float("-inf")
        self._kept_back = 0
