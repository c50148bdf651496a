"""State in this process's memory: for tests, replay and `memory:`. Rule: it forgets everything, and does no I/O."""

from __future__ import annotations

import heapq
import math
import threading
from typing import NamedTuple

from eximacl.questions import FARTHEST_SECONDS, LOST_SECONDS, PRUNE_ROWS, Place, Settled


class _Row(NamedTuple):
    """until: seconds since 1970; negative: ended for good at that time."""

    committed: bool
    until: float

    def live(self, now: float) -> bool:
        return self.committed or now < self.until <= now + FARTHEST_SECONDS


class MemoryState:
    """The contract of `questions.State` on dictionaries; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: dict[str, dict[str, _Row]] = {}
        self._rows: dict[str, dict[str, _Row]] = {}
        self._expiries: list[tuple[float, str, str]] = []

    def reserve(self, key: str, limit: int, holder: str, now: float, until: float) -> Place:
        """See `State.reserve`."""
        with self._lock:
            if self._live(key, holder, now):
                return "reserved"
            place = self._vacancy(key, limit, now)
            if place == "reserved":
                self._end_stale(key, now)
                self._put(key, holder, _Row(False, until))
            return place

    def peek(self, key: str, limit: int, holder: str, now: float) -> Place:
        """See `State.peek`."""
        with self._lock:
            return "reserved" if self._live(key, holder, now) else self._vacancy(key, limit, now)

    def commit(self, holder: str, now: float) -> Settled:
        """See `State.commit`."""
        with self._lock:
            rows = self._holders.get(holder)
            if not rows or any(not row.committed and row.until <= now for row in rows.values()):
                return "lost"
            for key, row in list(rows.items()):
                if not row.committed:
                    self._put(key, holder, _Row(True, math.inf))
            return "committed"

    def release(self, holder: str) -> int:
        """See `State.release`."""
        with self._lock:
            keys = list(self._holders.get(holder, ()))
            for key in keys:
                self._delete(key, holder)
            return len(keys)

    def places(self, key: str, now: float) -> tuple[int, int]:
        """See `State.places`."""
        with self._lock:
            return self._counts(key, now)

    def prune(self, now: float) -> int:
        """See `State.prune`."""
        deleted = 0
        with self._lock:
            while self._expiries and self._expiries[0][0] <= now - LOST_SECONDS and deleted < PRUNE_ROWS:
                until, key, holder = heapq.heappop(self._expiries)
                row = self._rows.get(key, {}).get(holder)
                if row is not None and abs(row.until) == until:
                    self._delete(key, holder)
                    deleted += 1
        return deleted

    def close(self) -> None:
        """Nothing to release."""

    def _live(self, key: str, holder: str, now: float) -> bool:
        row = self._rows.get(key, {}).get(holder)
        return row is not None and row.live(now)

    def _vacancy(self, key: str, limit: int, now: float) -> Place:
        committed, reserved = self._counts(key, now)
        if committed >= limit:
            return "full"
        return "pending" if committed + reserved >= limit else "reserved"

    def _counts(self, key: str, now: float) -> tuple[int, int]:
        live = [row.committed for row in self._rows.get(key, {}).values() if row.live(now)]
        return sum(live), len(live) - sum(live)

    def _end_stale(self, key: str, now: float) -> None:
        for holder, row in list(self._rows.get(key, {}).items()):
            if row.until > 0 and not row.live(now):
                self._put(key, holder, _Row(False, -now))

    def _put(self, key: str, holder: str, row: _Row) -> None:
        self._rows.setdefault(key, {})[holder] = row
        self._holders.setdefault(holder, {})[key] = row
        if not row.committed:
            heapq.heappush(self._expiries, (abs(row.until), key, holder))

    def _delete(self, key: str, holder: str) -> None:
        _drop(self._rows, key, holder)
        _drop(self._holders, holder, key)


def _drop(table: dict[str, dict[str, _Row]], outer: str, inner: str) -> None:
    """Delete one entry of a nested table, and the inner table with its last entry."""
    del table[outer][inner]
    if not table[outer]:
        del table[outer]
