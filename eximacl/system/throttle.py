"""Complaints that could come thousands of times a second: the first is logged, then one a minute with a count."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

# Often enough to be noticed, rarely enough that complaints about a broken disk do not fill another.
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
        """Return None when it is too soon; else how many complaints were kept back since the last one logged."""
        now = self._clock()
        if now < self._next:
            self._kept_back += 1
            return None
        self._next = now + REPEAT_SECONDS
        kept_back, self._kept_back = self._kept_back, 0
        return kept_back

    def reset(self) -> None:
        """The trouble is over: the next complaint is due at once."""
        self._next = float("-inf")
        self._kept_back = 0


class Complaints:
    """Logs errors to `log`, each kind of them at most once in REPEAT_SECONDS. Kinds must be few: none is forgotten."""

    __slots__ = ("_clock", "_log", "_throttles")

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._throttles: dict[str, Throttle] = {}

    def error(self, kind: str, text: str, exc_info: BaseException | bool = False) -> None:
        """Log an error, with how many of its kind were kept back before it; or keep it back."""
        if kind not in self._throttles:
            self._throttles[kind] = Throttle(self._clock)
        kept_back = self._throttles[kind].due()
        if kept_back is not None:
            again = f" ({kept_back} more since the last such message)" if kept_back else ""
            self._log.error("%s%s", text, again, exc_info=exc_info)
