"""State in this process's memory, for `memory:` and for tests. It does no I/O, and ends with the process."""

from __future__ import annotations

import heapq
import math
import threading
from array import array
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, Protocol, TypeVar

from eximacl.policy.state import (
    BLOCKS_MAX,
    CLOCK_SLACK_SECONDS,
    FARTHEST_SECONDS,
    LOST_SECONDS,
    PRUNE_ROWS,
    Backend,
    Block,
    Settled,
    Slot,
)
from eximacl.state.events import expiry, noted, recent

K = TypeVar("K", bound=Hashable)


class MemoryState:
    """The contract of `State` on dictionaries; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places = _Places()
        self._windows = _Windows()
        self._seen = _Seen()
        self._blocks = _Blocks()

    def reserve(self, key: str, limit: int, holder: str, now: float, until: float) -> Slot:
        """See `State.reserve`."""
        with self._lock:
            return self._places.reserve(key, limit, holder, now, until)

    def peek(self, key: str, limit: int, holder: str, now: float) -> Slot:
        """See `State.peek`."""
        with self._lock:
            return self._places.peek(key, limit, holder, now)

    def commit(self, holder: str, now: float) -> Settled:
        """See `State.commit`."""
        with self._lock:
            return self._places.commit(holder, now)

    def release(self, holder: str) -> int:
        """See `State.release`."""
        with self._lock:
            return self._places.release(holder)

    def places(self, key: str, now: float) -> tuple[int, int]:
        """See `State.places`."""
        with self._lock:
            return self._places.counts(key, now)

    def count(self, key: str, window: float, most: int, now: float) -> int:
        """See `State.count`."""
        with self._lock:
            return self._windows.count(key, window, most, now)

    def tally(self, key: str, window: float, now: float) -> int:
        """See `State.tally`."""
        with self._lock:
            return self._windows.tally(key, window, now)

    def forget(self, key: str) -> None:
        """See `State.forget`."""
        with self._lock:
            self._windows.rows.pop(key, None)

    def first_seen(self, key: str, now: float, until: float) -> float:
        """See `State.first_seen`."""
        with self._lock:
            return self._seen.first_seen(key, now, until)

    def seen(self, key: str, now: float) -> float | None:
        """See `State.seen`."""
        with self._lock:
            return self._seen.seen(key, now)

    def remember(self, key: str, now: float, until: float) -> bool:
        """See `State.remember`."""
        with self._lock:
            return self._seen.remember(key, now, until)

    def block(self, key: str, now: float, until: float, why: str) -> None:
        """See `State.block`."""
        with self._lock:
            self._blocks.block(key, now, until, why)

    def unblock(self, key: str) -> bool:
        """See `State.unblock`."""
        with self._lock:
            return self._blocks.unblock(key)

    def blocked(self, key: str, now: float) -> Block | None:
        """See `State.blocked`."""
        with self._lock:
            return self._blocks.blocked(key, now)

    def blocks(self, now: float, after: str | None = None, most: int = BLOCKS_MAX) -> tuple[Block, ...]:
        """See `State.blocks`."""
        with self._lock:
            return self._blocks.some(now, after, most)

    def prune(self, now: float) -> int:
        """See `State.prune`."""
        left = PRUNE_ROWS
        with self._lock:
            for family in (self._places, self._windows, self._seen, self._blocks):
                left -= family.prune(now, left)
        return PRUNE_ROWS - left

    def size(self) -> tuple[int, int]:
        """Return how many rows and how many expiries are kept: what bounds the memory."""
        families = (self._places, self._windows, self._seen, self._blocks)
        rows = sum(len(family.rows) for family in families) + len(self._places.holders)
        return rows, sum(len(family.expiries) for family in families)

    def close(self) -> None:
        """Nothing to release."""


class _Expiries(Generic[K]):
    """When each key expires. A key whose end was put off is looked at again at its old end, not sooner."""

    def __init__(self, until_of: Callable[[K], float | None]) -> None:
        self._until_of = until_of
        self._heap: list[tuple[float, K]] = []
        self._next: dict[K, float] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def note(self, key: K, until: float) -> None:
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


class _Row(NamedTuple):
    """until: seconds since 1970; negative: ended for good at that time."""

    committed: bool
    until: float

    def live(self, now: float) -> bool:
        return self.committed or now < self.until <= now + FARTHEST_SECONDS


class _Places:
    def __init__(self) -> None:
        self.rows: dict[str, dict[str, _Row]] = {}
        self.holders: dict[str, dict[str, _Row]] = {}
        self.expiries: _Expiries[tuple[str, str]] = _Expiries(self._until_of)

    def reserve(self, key: str, limit: int, holder: str, now: float, until: float) -> Slot:
        if self._live(key, holder, now):
            return "reserved"
        place = self._vacancy(key, limit, now)
        if place == "reserved":
            self._end_stale(key, now)
            self._put(key, holder, _Row(False, until))
        return place

    def peek(self, key: str, limit: int, holder: str, now: float) -> Slot:
        return "reserved" if self._live(key, holder, now) else self._vacancy(key, limit, now)

    def commit(self, holder: str, now: float) -> Settled:
        rows = self.holders.get(holder)
        if not rows or any(not row.committed and row.until <= now for row in rows.values()):
            return "lost"
        for key, row in list(rows.items()):
            if not row.committed:
                self._put(key, holder, _Row(True, math.inf))
        return "committed"

    def release(self, holder: str) -> int:
        keys = list(self.holders.get(holder, ()))
        for key in keys:
            self._delete(key, holder)
        return len(keys)

    def counts(self, key: str, now: float) -> tuple[int, int]:
        live = [row.committed for row in self.rows.get(key, {}).values() if row.live(now)]
        return sum(live), len(live) - sum(live)

    def prune(self, now: float, most: int) -> int:
        due = self.expiries.due(now - LOST_SECONDS, most)
        for key, holder in due:
            self._delete(key, holder)
        return len(due)

    def _live(self, key: str, holder: str, now: float) -> bool:
        row = self.rows.get(key, {}).get(holder)
        return row is not None and row.live(now)

    def _vacancy(self, key: str, limit: int, now: float) -> Slot:
        committed, reserved = self.counts(key, now)
        if committed >= limit:
            return "full"
        return "pending" if committed + reserved >= limit else "reserved"

    def _end_stale(self, key: str, now: float) -> None:
        for holder, row in list(self.rows.get(key, {}).items()):
            if row.until > 0 and not row.live(now):
                self._put(key, holder, _Row(False, -now))

    def _put(self, key: str, holder: str, row: _Row) -> None:
        self.rows.setdefault(key, {})[holder] = row
        self.holders.setdefault(holder, {})[key] = row
        self.expiries.note((key, holder), abs(row.until))

    def _until_of(self, place: tuple[str, str]) -> float | None:
        row = self.rows.get(place[0], {}).get(place[1])
        return None if row is None else abs(row.until)

    def _delete(self, key: str, holder: str) -> None:
        _drop(self.rows, key, holder)
        _drop(self.holders, holder, key)


def _drop(table: dict[str, dict[str, _Row]], outer: str, inner: str) -> None:
    """Delete one entry of a nested table, and the inner table with its last entry."""
    del table[outer][inner]
    if not table[outer]:
        del table[outer]


class _Ends(Protocol):
    @property
    def until(self) -> float: ...


R = TypeVar("R", bound=_Ends)


class _Table(Generic[R]):
    """Rows by key, each of which ends at its `until`."""

    def __init__(self) -> None:
        self.rows: dict[str, R] = {}
        self.expiries: _Expiries[str] = _Expiries(lambda key: row.until if (row := self.rows.get(key)) else None)

    def put(self, key: str, row: R) -> None:
        self.rows[key] = row
        self.expiries.note(key, row.until)

    def prune(self, now: float, most: int) -> int:
        due = self.expiries.due(now, most)
        for key in due:
            del self.rows[key]
        return len(due)


class _Window(NamedTuple):
    events: array[float]
    until: float


class _Windows(_Table[_Window]):
    def count(self, key: str, window: float, most: int, now: float) -> int:
        row = self.rows.get(key)
        events = noted(row.events if row else array("d"), window, most, now)
        until = expiry(events[-1], window, row.until if row else None)
        self.put(key, _Window(events, until))
        return len(events)

    def tally(self, key: str, window: float, now: float) -> int:
        row = self.rows.get(key)
        return len(recent(row.events, window, now)) if row else 0


class _Known(NamedTuple):
    since: float
    until: float


class _Seen(_Table[_Known]):
    def first_seen(self, key: str, now: float, until: float) -> float:
        since = self.seen(key, now)
        if since is not None:
            return since
        self.put(key, _Known(now, until))
        return now

    def seen(self, key: str, now: float) -> float | None:
        row = self.rows.get(key)
        return row.since if row and now < row.until and row.since <= now + CLOCK_SLACK_SECONDS else None

    def remember(self, key: str, now: float, until: float) -> bool:
        if self.seen(key, now) is None:
            return False
        row = self.rows[key]
        self.put(key, _Known(row.since, max(row.until, until)))
        return True


class _Blocks(_Table[Block]):
    def block(self, key: str, now: float, until: float, why: str) -> None:
        old = self.blocked(key, now)
        self.put(key, old._replace(until=max(old.until, until)) if old else Block(key, now, until, why))

    def unblock(self, key: str) -> bool:
        return self.rows.pop(key, None) is not None

    def blocked(self, key: str, now: float) -> Block | None:
        row = self.rows.get(key)
        return row if row and _stands(row, now) else None

    def some(self, now: float, after: str | None, most: int) -> tuple[Block, ...]:
        keys = sorted(key for key, row in self.rows.items() if _stands(row, now) and (after is None or key > after))
        return tuple(self.rows[key] for key in keys[:most])


def _stands(block: Block, now: float) -> bool:
    """Whether a block is in force; no clock can make one that is for ever a block of the future."""
    return now < block.until and (block.since <= now + CLOCK_SLACK_SECONDS or block.until == math.inf)


def _open(_rest: str) -> MemoryState:
    return MemoryState()


BACKEND = Backend(form="memory:", rest="", open=_open, is_shared=False)
