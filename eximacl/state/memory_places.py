"""The places of counted addresses, and what is known of each, in memory."""

from __future__ import annotations

from typing import NamedTuple

from eximacl.policy.places import (
    DAY_SECONDS,
    NO_TERMS,
    TOO_MANY,
    AddressChange,
    Found,
    KnownAddress,
    Place,
    Terms,
    cut_sender,
    give,
    is_crowded,
    is_over,
    written,
)
from eximacl.policy.state import CLOCK_SLACK_SECONDS, FARTHEST_SECONDS, LOST_SECONDS, Settled, StateError
from eximacl.state.expiries import Expiries


class _Row(NamedTuple):
    """until: seconds since 1970; negative: ended for good at that time; of a used place: when its row is a number."""

    committed: bool
    until: float
    sender: str = ""

    def live(self, now: float) -> bool:
        return self.committed or now < self.until <= now + FARTHEST_SECONDS


class _Address(NamedTuple):
    """used: without the places that still have a row. tried: when a message was last sent to it, give or take a day."""

    known: KnownAddress
    used: int = 0
    tried: float = 0.0


class MemoryPlaces:
    """The verbs `reserve` to `forget_known` of `State`; not safe to share between threads."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, _Row]] = {}
        self.holders: dict[str, dict[str, _Row]] = {}
        self.addresses: dict[str, _Address] = {}
        self.expiries: Expiries[tuple[str, str]] = Expiries(self._until_of)

    def reserve(self, key: str, limit: int, holder: str, now: float, until: float, terms: Terms) -> Place:
        """See `State.reserve`."""
        found = self._find(key, holder, now, terms)
        place = give(found, limit, terms)
        if place.slot == "reserved" and not found.mine:
            self._end_stale(key, now)
            self._put(key, holder, _Row(False, until, cut_sender(terms.sender)))
        if found.known or place.slot == "reserved":
            self._note(key, limit, now, terms)
        return place

    def peek(self, key: str, limit: int, holder: str, now: float, terms: Terms) -> Place:
        """See `State.peek`."""
        return give(self._find(key, holder, now, terms), limit, terms)

    def commit(self, holder: str, now: float) -> Settled:
        """See `State.commit`."""
        rows = self.holders.get(holder)
        if not rows or any(not row.committed and row.until <= now for row in rows.values()):
            return "lost"
        for key, row in list(rows.items()):
            if not row.committed:
                self._use(key, row.sender, now)
                self._put(key, holder, row._replace(committed=True, until=now + LOST_SECONDS))
        return "committed"

    def release(self, holder: str) -> int:
        """See `State.release`."""
        keys = list(self.holders.get(holder, ()))
        for key in keys:
            self._delete(key, holder)
        return len(keys)

    def counts(self, key: str, now: float) -> tuple[int, int]:
        """See `State.places`."""
        live = [row.committed for row in self.rows.get(key, {}).values() if row.live(now)]
        address = self.addresses.get(key)
        return sum(live) + (address.used if address else 0), len(live) - sum(live)

    def revise(self, key: str, now: float, change: AddressChange) -> KnownAddress:
        """See `State.revise`."""
        if key not in self.addresses and is_crowded(len(self.addresses)):
            raise StateError(TOO_MANY)
        self._note(key, change.limit, now, Terms(change.owner, day=change.day))
        if change.reset:
            self._reset(key)
        address = self.addresses[key]
        known = address.known
        revised = known._replace(
            owner=change.owner,
            limit=change.limit,
            day=change.day,
            extra=known.extra + change.more,
            ended=(known.ended or now) if change.end else known.ended,
            issued=True,
            note=known.note if change.note is None else change.note,
        )
        self.addresses[key] = address._replace(known=revised, tried=now)
        return self._shown(key, now)

    def known(self, key: str, now: float) -> KnownAddress | None:
        """See `State.known`."""
        return self._shown(key, now) if key in self.addresses else None

    def all_known(self, now: float, after: str | None, most: int) -> tuple[KnownAddress, ...]:
        """See `State.all_known`."""
        keys = sorted(key for key in self.addresses if after is None or key > after)
        return tuple(self._shown(key, now) for key in keys[:most])

    def forget_known(self, before: float, most: int) -> int:
        """See `State.forget_known`."""
        over = [
            key
            for key, address in self.addresses.items()
            if key not in self.rows and is_over(address.known, address.tried, before)
        ][:most]
        for key in over:
            del self.addresses[key]
        return len(over)

    def prune(self, now: float, most: int) -> int:
        """Forget at most `most` transactions; return how many."""
        due = self.expiries.due(now, most)
        for key, holder in due:
            if self.rows[key][holder].committed:
                address = self.addresses[key]
                self.addresses[key] = address._replace(used=address.used + 1)
            self._delete(key, holder)
        return len(due)

    def _find(self, key: str, holder: str, now: float, terms: Terms = NO_TERMS) -> Found:
        rows = self.rows.get(key, {})
        row = rows.get(holder)
        used, reserved = self.counts(key, now)
        mine = row is not None and row.live(now)
        address = self.addresses.get(key)
        if address is None:
            return Found(used, reserved, mine, False, new=self._new(terms, now), total=len(self.addresses))
        rivals = tuple(row.sender for row in rows.values() if not row.committed and row.live(now))
        known = address.known
        return Found(used, reserved, mine, True, known.extra, known.ended > 0, known.first_sender, rivals)

    def _new(self, terms: Terms, now: float) -> int:
        if not terms.most_new:
            return 0
        return sum(
            address.known.owner == terms.owner
            and not address.known.issued
            and now - DAY_SECONDS < address.known.since <= now + CLOCK_SLACK_SECONDS
            for address in self.addresses.values()
        )

    def _note(self, key: str, limit: int, now: float, terms: Terms) -> None:
        address = self.addresses.get(key)
        if address is None:
            known = KnownAddress(key, terms.owner, written(limit, terms), day=terms.day, since=now)
            self.addresses[key] = _Address(known, tried=now)
            return
        known = address.known._replace(owner=terms.owner, limit=written(limit, terms), day=terms.day)
        self.addresses[key] = address._replace(known=known, tried=now)

    def _use(self, key: str, sender: str, now: float) -> None:
        address = self.addresses[key]
        known = address.known
        known = known._replace(
            first=known.first or now, last=now, first_sender=known.first_sender or sender, last_sender=sender
        )
        self.addresses[key] = address._replace(known=known)

    def _reset(self, key: str) -> None:
        for holder, row in list(self.rows.get(key, {}).items()):
            if row.committed:
                _drop(self.rows, key, holder)
                _drop(self.holders, holder, key)
        address = self.addresses[key]
        self.addresses[key] = _Address(address.known._replace(ended=0.0, first_sender=""), 0, address.tried)

    def _shown(self, key: str, now: float) -> KnownAddress:
        used, reserved = self.counts(key, now)
        return self.addresses[key].known._replace(used=used, reserved=reserved)

    def _end_stale(self, key: str, now: float) -> None:
        for holder, row in list(self.rows.get(key, {}).items()):
            if row.until > 0 and not row.live(now):
                self._put(key, holder, _Row(False, -now))

    def _put(self, key: str, holder: str, row: _Row) -> None:
        self.rows.setdefault(key, {})[holder] = row
        self.holders.setdefault(holder, {})[key] = row
        self.expiries.note((key, holder), _end(row))

    def _until_of(self, place: tuple[str, str]) -> float | None:
        row = self.rows.get(place[0], {}).get(place[1])
        return None if row is None else _end(row)

    def _delete(self, key: str, holder: str) -> None:
        _drop(self.rows, key, holder)
        _drop(self.holders, holder, key)
        address = self.addresses[key]
        if key not in self.rows and not address.used and not address.known.issued:
            del self.addresses[key]


def _end(row: _Row) -> float:
    """Return when a row may go."""
    return row.until if row.committed else abs(row.until) + LOST_SECONDS


def _drop(table: dict[str, dict[str, _Row]], outer: str, inner: str) -> None:
    """Delete one entry of a nested table, and the inner table with its last entry."""
    del table[outer][inner]
    if not table[outer]:
        del table[outer]
