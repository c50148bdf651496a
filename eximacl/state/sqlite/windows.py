"""The sliding windows of events, in SQLite: one row a key, which is read and written in one transaction.

A row holds its events as packed doubles. One more event costs 34, 41, 60 and 360 µs in a window of 20, 100, 1,000 and
10,000 events (2-core machine, virtual disk); a msgpack list would add 3, 15, 50 and 900 µs.
"""

from __future__ import annotations

import sqlite3
import sys
from array import array

from eximacl.state.events import expiry, noted, recent
from eximacl.state.sqlite.file import StateFile, to_bytes
from eximacl.state.sqlite.rows import Rows

_FIND = "SELECT events, until FROM windows WHERE key = ?"
_NOTE = "UPDATE windows SET events = ? WHERE key = ?"
_WRITE = "INSERT OR REPLACE INTO windows (key, events, until) VALUES (?, ?, ?)"
_FORGET = "DELETE FROM windows WHERE key = ? RETURNING key"
_PRUNE = (
    "DELETE FROM windows WHERE key IN (SELECT key FROM windows WHERE until <= ? ORDER BY until LIMIT ?) RETURNING key"
)

# The file is the same on every machine.
SWAPPED = sys.byteorder == "big"


class Windows:
    """`count`, `tally` and `forget` of `State`."""

    def __init__(self, file: StateFile, rows: Rows | None = None) -> None:
        self._file = file
        self._rows = rows or Rows("windows")

    def count(self, key: str, window: float, most: int, now: float) -> int:
        """See `State.count`."""
        name = to_bytes(key)

        def work(db: sqlite3.Connection) -> int:
            data, until = db.execute(_FIND, (name,)).fetchone() or (b"", None)
            events = noted(unpack(data), window, most, now)
            then = expiry(events[-1], window, until)
            if then == until:
                db.execute(_NOTE, (pack(events), name))
            else:
                if until is None:
                    self._rows.make_room(db, key)
                    self._rows.added(key)
                db.execute(_WRITE, (name, pack(events), then))
            return len(events)

        return self._file.transaction(work)

    def tally(self, key: str, window: float, now: float) -> int:
        """See `State.tally`."""
        found = self._file.read(lambda db: db.execute(_FIND, (to_bytes(key),)).fetchone())
        return len(recent(unpack(found[0]), window, now)) if found else 0

    def forget(self, key: str) -> None:
        """See `State.forget`."""
        self._file.transaction(lambda db: self._rows.deleted(db.execute(_FORGET, (to_bytes(key),)).fetchall()))

    def prune(self, db: sqlite3.Connection, now: float, most: int) -> int:
        """Delete at most `most` windows without recent events; return how many."""
        return self._rows.deleted(db.execute(_PRUNE, (now, most)).fetchall())


def pack(events: array[float]) -> bytes:
    """Return events as a row holds them: little-endian doubles."""
    if SWAPPED:
        events = events[:]
        events.byteswap()
    return events.tobytes()


def unpack(data: bytes) -> array[float]:
    """Return the events that a row holds."""
    events = array("d", data)
    if SWAPPED:
        events.byteswap()
    return events
