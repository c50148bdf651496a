"""State in this process's memory, for `memory:` and for tests. It does no I/O, and ends with the process."""

from __future__ import annotations

import itertools
import math
import threading
from array import array
from collections import Counter, OrderedDict, defaultdict
from itertools import islice
from typing import Generic, NamedTuple, Protocol, TypeVar

from eximacl.policy.places import LISTED_MAX, NO_TERMS, AddressChange, KnownAddress, Place, Terms
from eximacl.policy.state import (
    BLOCKS_MAX,
    CLOCK_SLACK_SECONDS,
    EVICTED_ROWS,
    PRUNE_ROWS,
    ROWS_MAX,
    Backend,
    Block,
    Settled,
    Sighting,
    owner_of,
    too_many,
)
from eximacl.state.events import expiry, noted, recent
from eximacl.state.expiries import Expiries
from eximacl.state.memory_places import MemoryPlaces


class MemoryState:
    """The contract of `State` on dictionaries; safe to share between threads.

    rows: how many each owner may have in a table.
    """

    def __init__(self, rows: int = ROWS_MAX) -> None:
        self._lock = threading.Lock()
        self._places = MemoryPlaces()
        self._windows = _Windows(rows)
        self._seen = _Seen(rows)
        self._blocks = _Blocks(rows)

    def reserve(self, key: str, limit: int, holder: str, now: float, until: float, terms: Terms = NO_TERMS) -> Place:
        """See `State.reserve`."""
        with self._lock:
            return self._places.reserve(key, limit, holder, now, until, terms)

    def peek(self, key: str, limit: int, holder: str, now: float, terms: Terms = NO_TERMS) -> Place:
        """See `State.peek`."""
        with self._lock:
            return self._places.peek(key, limit, holder, now, terms)

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

    def revise(self, key: str, now: float, change: AddressChange) -> KnownAddress:
        """See `State.revise`."""
        with self._lock:
            return self._places.revise(key, now, change)

    def known(self, key: str, now: float) -> KnownAddress | None:
        """See `State.known`."""
        with self._lock:
            return self._places.known(key, now)

    def all_known(self, now: float, after: str | None = None, most: int = LISTED_MAX) -> tuple[KnownAddress, ...]:
        """See `State.all_known`."""
        with self._lock:
            return self._places.all_known(now, after, most)

    def forget_known(self, before: float, most: int = LISTED_MAX) -> int:
        """See `State.forget_known`."""
        with self._lock:
            return self._places.forget_known(before, most)

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
            self._windows.drop(key)

    def first_seen(self, key: str, now: float, until: float, evict: bool = False) -> float:
        """See `State.first_seen`."""
        with self._lock:
            return self._seen.first_seen(key, now, until, evict)

    def seen(self, key: str, now: float) -> float | None:
        """See `State.seen`."""
        with self._lock:
            return self._seen.seen(key, now)

    def remember(self, key: str, now: float, until: float) -> bool:
        """See `State.remember`."""
        with self._lock:
            return self._seen.remember(key, now, until)

    def sightings(
        self, prefix: str, now: float, after: str | None = None, most: int = LISTED_MAX
    ) -> tuple[Sighting, ...]:
        """See `State.sightings`."""
        with self._lock:
            return self._seen.some(prefix, now, after, most)

    def unsee(self, key: str) -> bool:
        """See `State.unsee`."""
        with self._lock:
            return self._seen.drop(key)

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
        return rows + len(self._places.addresses), sum(len(family.expiries) for family in families)

    def close(self) -> None:
        """Nothing to release."""


class _Ends(Protocol):
    @property
    def until(self) -> float: ...


R = TypeVar("R", bound=_Ends)


class _Table(Generic[R]):
    """Rows by key, each of which ends at its `until`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.counts: Counter[str] = Counter()
        self.rows: dict[str, R] = {}
        self.expiries: Expiries[str] = Expiries(lambda key: row.until if (row := self.rows.get(key)) else None)

    def put(self, key: str, row: R) -> None:
        """Keep a row. Raises StateError where its owner has too many already."""
        if key not in self.rows:
            if self.counts[owner_of(key)] >= self.most:
                self.make_room(key)
            self.counts[owner_of(key)] += 1
        self.rows[key] = row
        self.expiries.note(key, row.until)

    def prune(self, now: float, most: int) -> int:
        due = self.expiries.due(now, most)
        for key in due:
            self.drop(key)
        return len(due)

    def make_room(self, key: str) -> None:
        """Make room for a row, or raise StateError."""
        raise too_many(key, self.most)

    def drop(self, key: str) -> bool:
        """Delete a row; return whether there was one."""
        if self.rows.pop(key, None) is None:
            return False
        self.counts[owner_of(key)] -= 1
        return True


class _Window(NamedTuple):
    events: array[float]
    until: float


class _Evicting(_Table[R]):
    """Rows that make room for new ones, where their owner has too many: the longest unused go."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        # The keys of each owner, the longest unused first.
        self._used: defaultdict[str, OrderedDict[str, None]] = defaultdict(OrderedDict)

    def use(self, key: str) -> None:
        """Note that a key is used now."""
        used = self._used[owner_of(key)]
        used[key] = None
        used.move_to_end(key)

    def make_room(self, key: str) -> None:
        used = self._used[owner_of(key)]
        if not used:
            super().make_room(key)
        for oldest in tuple(islice(used, EVICTED_ROWS)):
            self.drop(oldest)

    def drop(self, key: str) -> bool:
        self._used[owner_of(key)].pop(key, None)
        return super().drop(key)


class _Windows(_Evicting[_Window]):
    def count(self, key: str, window: float, most: int, now: float) -> int:
        row = self.rows.get(key)
        events = noted(row.events if row else array("d"), window, most, now)
        until = expiry(events[-1], window, row.until if row else None)
        self.put(key, _Window(events, until))
        self.use(key)
        return len(events)

    def tally(self, key: str, window: float, now: float) -> int:
        row = self.rows.get(key)
        return len(recent(row.events, window, now)) if row else 0


class _Known(NamedTuple):
    since: float
    until: float


class _Seen(_Evicting[_Known]):
    def first_seen(self, key: str, now: float, until: float, evict: bool) -> float:
        since = self.seen(key, now)
        if since is not None:
            return since
        self.put(key, _Known(now, until))
        if evict:
            self.use(key)
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

    def some(self, prefix: str, now: float, after: str | None, most: int) -> tuple[Sighting, ...]:
        keys = sorted(key for key in self.rows if key.startswith(prefix) and (after is None or key > after))
        known = (Sighting(key, *self.rows[key]) for key in keys if self.seen(key, now) is not None)
        return tuple(itertools.islice(known, most))


class _Blocks(_Table[Block]):
    def block(self, key: str, now: float, until: float, why: str) -> None:
        old = self.blocked(key, now)
        self.put(key, old._replace(until=max(old.until, until)) if old else Block(key, now, until, why))

    def unblock(self, key: str) -> bool:
        return self.drop(key)

    def blocked(self, key: str, now: float) -> Block | None:
        row = self.rows.get(key)
        return row if row and _stands(row, now) else None

    def some(self, now: float, after: str | None, most: int) -> tuple[Block, ...]:
        keys = sorted(key for key, row in self.rows.items() if _stands(row, now) and (after is None or key > after))
        return tuple(self.rows[key] for key in keys[:most])


def _stands(block: Block, now: float) -> bool:
    """Whether a block is in force; no clock can make one that is for ever a block of the future."""
    return now < block.until and (block.since <= now + CLOCK_SLACK_SECONDS or block.until == math.inf)


def _open(_rest: str, rows: int) -> MemoryState:
    return MemoryState(rows)


BACKEND = Backend(form="memory:", rest="", open=_open, is_shared=False)
