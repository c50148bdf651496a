"""Deadlines of one owner. Rule: one timer of the event loop for all of them, and nothing is cancelled.

What is called after all was done finds it done. A deadline is noticed up to GRAIN_SECONDS late.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

# So the timer rings fifty times a second at most, however many look-ups there are.
GRAIN_SECONDS = 0.02


class Alarms:
    """Calls what is due. clock: seconds that never go back."""

    __slots__ = ("_clock", "_due", "_loop", "_order", "_rings", "_timer")

    def __init__(self, clock: Callable[[], float], loop: asyncio.AbstractEventLoop) -> None:
        self._clock = clock
        self._loop = loop
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._rings = 0.0

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Call `call` when the clock has passed `when`."""
        heapq.heappush(self._due, (when, next(self._order), call))
        if self._timer is None or when + GRAIN_SECONDS < self._rings:
            self._arm()

    def sweep(self) -> None:
        """Call all that is due now."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    def close(self) -> None:
        """Forget all."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        self.sweep()
        if self._due:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now = self._clock()
        self._rings = max(self._due[0][0], now + GRAIN_SECONDS)
        self._timer = self._loop.call_later(self._rings - now, self._ring)
