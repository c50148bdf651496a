"""When each of many keys expires, for state that is kept in memory."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Expiries(Generic[K]):
    """When each key expires. A key whose end was put off is looked at again at its old end, not sooner."""

    def __init__(self, until_of: Callable[[K], float | None]) -> None:
        self._until_of = until_of
        self._heap: list[tuple[float, K]] = []
        self._next: dict[K, float] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def note(self, key: K, until: float) -> None:
        """Note that a key expires then, or may be looked at again."""
        if until < self._next.get(key, math.inf):
            self._next[key] = until
            heapq.heappush(self._heap, (until, key))

    def due(self, now: float, most: int) -> list[K]:
        """Return at most `most` keys that have expired, each once."""
        due: list[K] = []
        while self._heap and self._heap[0][0] <= now and len(due) < most:
            noted_until, key = heapq.heappop(self._heap)
            if self._next.get(key) != noted_until:
                continue
            del self._next[key]
            until = self._until_of(key)
            if until is None:
                continue
            if until <= now:
                due.append(key)
            else:
                self.note(key, until)
        return due
