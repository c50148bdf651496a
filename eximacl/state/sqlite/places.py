"""The places of counted addresses, in SQLite. `commit` answers only when its places are on the disk.

A place has a row as long as its transaction may still be asked about: a week. Then a used one is only a number in its
address's row, so that a much used address takes no more room than another.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from eximacl.policy.places import NO_TERMS, Found, Place, Terms, cut_sender, give
from eximacl.policy.state import FARTHEST_SECONDS, LOST_SECONDS, Settled
from eximacl.state.sqlite.addresses import Addresses
from eximacl.state.sqlite.file import StateFile, to_bytes, to_text

# Of a reservation, a negative `until` is the time at which it was ended for good; of a used place, `until` is when its
# row becomes a number.
_LIVE = "SELECT committed, holder, committed OR (until > ? AND until <= ?) AS live FROM places WHERE key = ?"
_COUNT = f"""SELECT total(committed) + coalesce((SELECT used FROM addresses WHERE key = ?), 0),
    total(live), total(live AND holder = ?), count(*), total(committed) FROM ({_LIVE})"""
_RIVALS = "SELECT DISTINCT sender FROM places WHERE key = ? AND NOT committed AND until > ? AND until <= ?"
_END_STALE = "UPDATE places SET until = ? WHERE key = ? AND NOT committed AND until > 0 AND (until <= ? OR until > ?)"
_RESERVE = "INSERT OR REPLACE INTO places (key, holder, committed, until, sender) VALUES (?, ?, 0, ?, ?)"
_HELD = "SELECT count(*), total(committed), total(NOT committed AND until <= ?) FROM places WHERE holder = ?"
_RESERVED = "SELECT key, sender FROM places WHERE holder = ? AND NOT committed"
_COMMIT = "UPDATE places SET committed = 1, until = ? WHERE holder = ? AND NOT committed"
_KEYS = "SELECT key FROM places WHERE holder = ?"
_RELEASE = "DELETE FROM places WHERE holder = ?"
_DUE = """SELECT key, holder FROM places WHERE until BETWEEN ? AND ? AND NOT committed ORDER BY until LIMIT ?"""
_OLD = "SELECT key, holder FROM places WHERE until <= ? AND committed ORDER BY until LIMIT ?"
_DELETE = "DELETE FROM places WHERE key = ? AND holder = ?"


class Places:
    """`reserve`, `peek`, `commit`, `release` and `places` of `State`."""

    def __init__(self, file: StateFile, addresses: Addresses) -> None:
        self._file = file
        self._addresses = addresses

    def reserve(self, key: str, limit: int, holder: str, now: float, until: float, terms: Terms = NO_TERMS) -> Place:
        """See `State.reserve`."""
        row = to_bytes(key), to_bytes(holder)

        def work(db: sqlite3.Connection) -> Place:
            found, stale = self._find(db, *row, now, terms)
            place = give(found, limit, terms)
            if place.slot == "reserved" and not found.mine:
                if stale:
                    db.execute(_END_STALE, (-now, row[0], now, now + FARTHEST_SECONDS))
                db.execute(_RESERVE, (*row, until, to_bytes(cut_sender(terms.sender))))
            if found.known or place.slot == "reserved":
                self._addresses.note(db, row[0], limit, now, terms, found.known)
            return place

        return self._file.transaction(work)

    def peek(self, key: str, limit: int, holder: str, now: float, terms: Terms = NO_TERMS) -> Place:
        """See `State.peek`."""
        asked = to_bytes(key), to_bytes(holder), now, terms
        return self._file.read(lambda db: give(self._find(db, *asked)[0], limit, terms))

    def commit(self, holder: str, now: float) -> Settled:
        """See `State.commit`."""
        name = to_bytes(holder)

        def work(db: sqlite3.Connection) -> Settled:
            rows, committed, expired = db.execute(_HELD, (now, name)).fetchone()
            if not rows or expired:
                return "lost"
            if committed < rows:
                for key, sender in db.execute(_RESERVED, (name,)).fetchall():
                    self._addresses.used(db, key, sender, now)
                db.execute(_COMMIT, (now + LOST_SECONDS, name))
            return "committed"

        return self._file.transaction(work, sync="FULL")

    def release(self, holder: str) -> int:
        """See `State.release`."""
        name = to_bytes(holder)

        def work(db: sqlite3.Connection) -> int:
            keys = db.execute(_KEYS, (name,)).fetchall()
            db.execute(_RELEASE, (name,))
            for (key,) in keys:
                self._addresses.drop_unused(db, key)
            return len(keys)

        return self._file.transaction(work)

    def places(self, key: str, now: float) -> tuple[int, int]:
        """See `State.places`."""
        found = self._file.read(lambda db: _count(db, to_bytes(key), b"", now))
        return found.used, found.reserved

    def prune(self, db: sqlite3.Connection, now: float, most: int) -> int:
        """Forget at most `most` transactions: of reservations that expired long ago (LOST_SECONDS), which delete them,
        and of used places; return how many."""
        then = now - LOST_SECONDS
        due = db.execute(_DUE, (-then, then, most)).fetchall()
        db.executemany(_DELETE, due)
        for (key,) in {row[:1] for row in due}:
            self._addresses.drop_unused(db, key)
        old = db.execute(_OLD, (now, most - len(due))).fetchall()
        db.executemany(_DELETE, old)
        self._addresses.add_used(db, [key for key, _ in old])
        return len(due) + len(old)

    def _find(self, db: sqlite3.Connection, key: bytes, holder: bytes, now: float, terms: Terms) -> tuple[Found, bool]:
        """Return what there is for a holder, and whether the key has stale reservations."""
        counted = _count(db, key, holder, now)
        found = self._addresses.find(db, key, now, terms)
        rivals: tuple[str, ...] = ()
        if terms.only and not found.first_sender:
            asked = key, now, now + FARTHEST_SECONDS
            rivals = tuple(to_text(sender) for (sender,) in db.execute(_RIVALS, asked))
        used, reserved, mine, stale = counted
        return found._replace(used=used, reserved=reserved, mine=mine, rivals=rivals), stale


class _Counted(NamedTuple):
    """used, reserved: how many places. mine: the holder has one. stale: the key has stale reservations."""

    used: int
    reserved: int
    mine: bool
    stale: bool


def _count(db: sqlite3.Connection, key: bytes, holder: bytes, now: float) -> _Counted:
    asked = key, holder, now, now + FARTHEST_SECONDS, key
    used, live, mine, rows, committed = db.execute(_COUNT, asked).fetchone()
    return _Counted(int(used), int(live - committed), bool(mine), live < rows)
