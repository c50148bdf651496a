"""What is known of each counted or dated address, in SQLite: one row an address."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable

from eximacl.policy.places import (
    DAY_SECONDS,
    LISTED_MAX,
    TOO_MANY,
    AddressChange,
    Found,
    KnownAddress,
    Terms,
    day_of,
    is_crowded,
    written,
)
from eximacl.policy.state import CLOCK_SLACK_SECONDS, FARTHEST_SECONDS, StateError
from eximacl.state.sqlite.file import StateFile, to_bytes, to_text

# To count a million takes 40 ms.
COUNT_SECONDS = 3600.0

_FIND = "SELECT extra, ended, first_sender FROM addresses WHERE key = ?"
_NEW = "SELECT count(*) FROM addresses WHERE owner = ? AND since > ? AND since <= ? AND NOT issued"
_TOTAL = "SELECT count(*) FROM addresses"
_MAKE = "INSERT INTO addresses (key, owner, places, day, since, tried) VALUES (?, ?, ?, ?, ?, ?)"
# At most one write a day for those that are tried in vain.
_TRY = """UPDATE addresses SET tried = ?, owner = ?, places = ?, day = ?
    WHERE key = ? AND (tried < ? OR tried > ? OR owner <> ?)"""
_USED = """UPDATE addresses SET last = ?, last_sender = ?, first = iif(first > 0, first, ?),
    first_sender = iif(first_sender = x'', ?, first_sender) WHERE key = ?"""
_ADD_USED = "UPDATE addresses SET used = used + 1 WHERE key = ?"
_DROP = """DELETE FROM addresses WHERE key = ? AND NOT issued AND used = 0
    AND NOT EXISTS (SELECT 1 FROM places WHERE places.key = addresses.key)"""
_CHANGE = """UPDATE addresses SET owner = ?, places = ?, day = ?, extra = extra + ?, tried = ?, issued = 1,
    ended = iif(?, iif(ended > 0, ended, ?), ended), note = iif(?, ?, note) WHERE key = ?"""
_RESET = "UPDATE addresses SET used = 0, ended = 0, first_sender = x'' WHERE key = ?"
_RESET_PLACES = "DELETE FROM places WHERE key = ? AND committed"
_SHOW = """SELECT key, owner, places, extra, day,
    used + (SELECT count(*) FROM places WHERE places.key = addresses.key AND committed),
    (SELECT count(*) FROM places WHERE places.key = addresses.key AND NOT committed AND until > ? AND until <= ?),
    since, first, last, first_sender, last_sender, ended, issued, note FROM addresses"""
_FORGET = """DELETE FROM addresses WHERE key IN (SELECT key FROM addresses WHERE tried < ? AND day < ?
    AND NOT EXISTS (SELECT 1 FROM places WHERE places.key = addresses.key) ORDER BY tried LIMIT ?)"""


class Addresses:
    """`revise`, `known`, `all_known` and `forget_known` of `State`, and what `Places` notes of an address."""

    def __init__(self, file: StateFile) -> None:
        self._file = file
        # How many addresses there are, as far as this process knows, and when they were counted; None: not yet.
        self._total: int | None = None
        self._counted_at = -math.inf

    def revise(self, key: str, now: float, change: AddressChange) -> KnownAddress:
        """See `State.revise`."""
        name = to_bytes(key)

        def work(db: sqlite3.Connection) -> KnownAddress:
            terms = Terms(change.owner, day=change.day)
            known = db.execute(_FIND, (name,)).fetchone() is not None
            if not known and is_crowded(db.execute(_TOTAL).fetchone()[0]):
                raise StateError(TOO_MANY)
            self.note(db, name, change.limit, now, terms, known)
            if change.reset:
                db.execute(_RESET, (name,))
                db.execute(_RESET_PLACES, (name,))
            noted = change.note is not None
            row = to_bytes(change.owner), change.limit, change.day.encode(), change.more, now
            db.execute(_CHANGE, (*row, change.end, now, noted, to_bytes(change.note or ""), name))
            return _one(db, name, now)

        return self._file.transaction(work, sync="FULL")

    def known(self, key: str, now: float) -> KnownAddress | None:
        """See `State.known`."""
        asked = now, now + FARTHEST_SECONDS, to_bytes(key)
        row = self._file.read(lambda db: db.execute(f"{_SHOW} WHERE key = ?", asked).fetchone())
        return None if row is None else _known(*row)

    def all_known(self, now: float, after: str | None = None, most: int = LISTED_MAX) -> tuple[KnownAddress, ...]:
        """See `State.all_known`."""
        # No key lies between one and the same with a NUL more.
        first = b"" if after is None else to_bytes(after) + b"\0"
        asked = now, now + FARTHEST_SECONDS, first, most
        select = f"{_SHOW} WHERE key >= ? ORDER BY key LIMIT ?"
        rows = self._file.read(lambda db: db.execute(select, asked).fetchall())
        return tuple(_known(*row) for row in rows)

    def forget_known(self, before: float, most: int = LISTED_MAX) -> int:
        """See `State.forget_known`."""
        asked = before, day_of(before).encode(), most
        forgotten = self._file.transaction(lambda db: db.execute(_FORGET, asked).rowcount)
        self._total = None
        return forgotten

    # For `Places`, in its transactions.

    def find(self, db: sqlite3.Connection, key: bytes, now: float, terms: Terms) -> Found:
        """Return what is known of an address, but for its places."""
        row = db.execute(_FIND, (key,)).fetchone()
        if row is not None:
            extra, ended, first_sender = row
            return Found(0, 0, False, True, extra, ended > 0, to_text(first_sender))
        new = 0
        if terms.most_new:
            asked = to_bytes(terms.owner), now - DAY_SECONDS, now + CLOCK_SLACK_SECONDS
            new = db.execute(_NEW, asked).fetchone()[0]
        if self._total is None:
            self._count(db, now)
        return Found(0, 0, False, False, new=new, total=self._total or 0)

    def note(self, db: sqlite3.Connection, key: bytes, limit: int, now: float, terms: Terms, known: bool) -> None:
        """Note that a message was sent to an address, which becomes known by that."""
        owner, day = to_bytes(terms.owner), terms.day.encode()
        limit = written(limit, terms)
        if not known:
            db.execute(_MAKE, (key, owner, limit, day, now, now))
            if self._total is not None:
                self._total += 1
        else:
            db.execute(_TRY, (now, owner, limit, day, key, now - DAY_SECONDS, now + CLOCK_SLACK_SECONDS, owner))

    def used(self, db: sqlite3.Connection, key: bytes, sender: bytes, now: float) -> None:
        """Note that a place of an address is used, and by whom."""
        db.execute(_USED, (now, sender, now, sender, key))

    def add_used(self, db: sqlite3.Connection, keys: Iterable[bytes]) -> None:
        """Count used places, one for each key, whose rows are deleted in the same transaction."""
        db.executemany(_ADD_USED, [(key,) for key in keys])

    def drop_unused(self, db: sqlite3.Connection, key: bytes) -> None:
        """Forget an address that has no place and that no person has changed."""
        dropped = db.execute(_DROP, (key,)).rowcount
        if self._total is not None:
            self._total -= dropped

    def prune(self, db: sqlite3.Connection, now: float, _most: int) -> int:
        """Count the addresses once an hour, which other processes make and forget as well; nothing is deleted."""
        if not 0 <= now - self._counted_at < COUNT_SECONDS:
            self._count(db, now)
        return 0

    def _count(self, db: sqlite3.Connection, now: float) -> None:
        self._total, self._counted_at = db.execute(_TOTAL).fetchone()[0], now


def _one(db: sqlite3.Connection, key: bytes, now: float) -> KnownAddress:
    return _known(*db.execute(f"{_SHOW} WHERE key = ?", (now, now + FARTHEST_SECONDS, key)).fetchone())


def _known(
    key: bytes,
    owner: bytes,
    limit: int,
    extra: int,
    day: bytes,
    used: int,
    reserved: int,
    since: float,
    first: float,
    last: float,
    first_sender: bytes,
    last_sender: bytes,
    ended: float,
    issued: int,
    note: bytes,
) -> KnownAddress:
    return KnownAddress(
        to_text(key),
        to_text(owner),
        limit,
        extra,
        day.decode(),
        used,
        reserved,
        since,
        first,
        last,
        to_text(first_sender),
        to_text(last_sender),
        ended,
        bool(issued),
        to_text(note),
    )
