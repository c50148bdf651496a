"""The places of counted addresses, in SQLite. `commit` answers only when its places are on the disk."""

from __future__ import annotations

import math
import sqlite3
from typing import NamedTuple

from eximacl.policy.state import FARTHEST_SECONDS, LOST_SECONDS, Settled, Slot
from eximacl.state.sqlite.file import StateFile, to_bytes

# A negative `until` is the time at which a reservation was ended for good.
_COUNT = """SELECT total(committed), total(live), total(live AND holder = ?), count(*)
    FROM (SELECT committed, holder, committed OR (until > ? AND until <= ?) AS live FROM places WHERE key = ?)"""
_END_STALE = "UPDATE places SET until = ? WHERE key = ? AND NOT committed AND until > 0 AND (until <= ? OR until > ?)"
_RESERVE = "INSERT OR REPLACE INTO places (key, holder, committed, until) VALUES (?, ?, 0, ?)"
_HELD = "SELECT count(*), total(committed), total(NOT committed AND until <= ?) FROM places WHERE holder = ?"
_COMMIT = "UPDATE places SET committed = 1, until = ? WHERE holder = ? AND NOT committed"
_RELEASE = "DELETE FROM places WHERE holder = ?"
_PRUNE = """DELETE FROM places WHERE (key, holder) IN
    (SELECT key, holder FROM places WHERE until BETWEEN ? AND ? AND NOT committed ORDER BY until LIMIT ?)"""


class Places:
    """`reserve`, `peek`, `commit`, `release` and `places` of `State`."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    def reserve(self, key: str, limit: int, holder: str, now: float, until: float) -> Slot:
        """See `State.reserve`."""
        row = to_bytes(key), to_bytes(holder)

        def work(db: sqlite3.Connection) -> Slot:
            found = _look(db, *row, limit, now)
            if found.stale and found.place == "reserved" and not found.mine:
                db.execute(_END_STALE, (-now, row[0], now, now + FARTHEST_SECONDS))
            if found.place == "reserved" and not found.mine:
                db.execute(_RESERVE, (*row, until))
            return found.place

        return self._file.transaction(work)

    def peek(self, key: str, limit: int, holder: str, now: float) -> Slot:
        """See `State.peek`."""
        return self._file.read(lambda db: _look(db, to_bytes(key), to_bytes(holder), limit, now).place)

    def commit(self, holder: str, now: float) -> Settled:
        """See `State.commit`."""
        name = to_bytes(holder)

        def work(db: sqlite3.Connection) -> Settled:
            rows, committed, expired = db.execute(_HELD, (now, name)).fetchone()
            if not rows or expired:
                return "lost"
            if committed < rows:
                db.execute(_COMMIT, (math.inf, name))
            return "committed"

        return self._file.transaction(work, sync="FULL")

    def release(self, holder: str) -> int:
        """See `State.release`."""
        return self._file.transaction(lambda db: db.execute(_RELEASE, (to_bytes(holder),)).rowcount)

    def places(self, key: str, now: float) -> tuple[int, int]:
        """See `State.places`."""
        committed, live, _, _ = self._file.read(lambda db: _count(db, to_bytes(key), b"", now))
        return committed, live - committed

    def prune(self, db: sqlite3.Connection, now: float, most: int) -> int:
        """Delete at most `most` reservations that expired long ago (LOST_SECONDS); return how many."""
        then = now - LOST_SECONDS
        return db.execute(_PRUNE, (-then, then, most)).rowcount


class _Found(NamedTuple):
    """place: what `reserve` answers; mine: the holder has it already; stale: the key has stale reservations."""

    place: Slot
    mine: bool
    stale: bool


def _look(db: sqlite3.Connection, key: bytes, holder: bytes, limit: int, now: float) -> _Found:
    committed, live, mine, rows = _count(db, key, holder, now)
    if mine:
        return _Found("reserved", True, live < rows)
    if committed >= limit:
        return _Found("full", False, live < rows)
    return _Found("pending" if live >= limit else "reserved", False, live < rows)


def _count(db: sqlite3.Connection, key: bytes, holder: bytes, now: float) -> tuple[int, int, int, int]:
    """Return how many places of `key` are committed, live, live and the holder's, and how many rows there are."""
    committed, live, mine, rows = db.execute(_COUNT, (holder, now, now + FARTHEST_SECONDS, key)).fetchone()
    return int(committed), int(live), int(mine), rows
