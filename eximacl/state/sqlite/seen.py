"""When each key was first seen, in SQLite. A known key is found without waiting for a writer."""

from __future__ import annotations

import sqlite3

from eximacl.policy.places import LISTED_MAX
from eximacl.policy.state import CLOCK_SLACK_SECONDS, Sighting
from eximacl.state.sqlite.file import StateFile, to_bytes, to_text
from eximacl.state.sqlite.rows import Rows

_FIND = "SELECT since FROM seen WHERE key = ? AND until > ? AND since <= ?"
_NOTE = "INSERT OR REPLACE INTO seen (key, since, until) VALUES (?, ?, ?)"
_KEEP = "UPDATE seen SET until = max(until, ?) WHERE key = ? AND until > ? AND since <= ?"
# No byte of a key's text is 255.
_SOME = (
    "SELECT key, since, until FROM seen WHERE key >= ? AND key < ? AND until > ? AND since <= ? ORDER BY key LIMIT ?"
)
_FORGET = "DELETE FROM seen WHERE key = ? RETURNING key"
_PRUNE = "DELETE FROM seen WHERE key IN (SELECT key FROM seen WHERE until <= ? ORDER BY until LIMIT ?) RETURNING key"


class Seen:
    """`first_seen`, `seen`, `remember`, `sightings` and `unsee` of `State`."""

    def __init__(self, file: StateFile, rows: Rows | None = None) -> None:
        self._file = file
        self._rows = rows or Rows("seen")

    def first_seen(self, key: str, now: float, until: float, evict: bool = False) -> float:
        """See `State.first_seen`."""
        found = self.seen(key, now)
        if found is not None:
            return found
        name = to_bytes(key)

        def work(db: sqlite3.Connection) -> float:
            # Asked again: another process may have seen it first.
            since = _find(db, name, now)
            if since is None:
                make_room = self._rows.make_room if evict else self._rows.check
                make_room(db, key)
                db.execute(_NOTE, (name, now, until))
                self._rows.added(key)
                return now
            return since

        return self._file.transaction(work)

    def seen(self, key: str, now: float) -> float | None:
        """See `State.seen`."""
        return self._file.read(lambda db: _find(db, to_bytes(key), now))

    def remember(self, key: str, now: float, until: float) -> bool:
        """See `State.remember`."""
        if self.seen(key, now) is None:
            return False
        asked = until, to_bytes(key), now, now + CLOCK_SLACK_SECONDS
        return self._file.transaction(lambda db: db.execute(_KEEP, asked).rowcount > 0)

    def sightings(
        self, prefix: str, now: float, after: str | None = None, most: int = LISTED_MAX
    ) -> tuple[Sighting, ...]:
        """See `State.sightings`."""
        start = to_bytes(prefix)
        # No key lies between one and the same with a NUL more.
        first = start if after is None else max(start, to_bytes(after) + b"\0")
        asked = first, start + b"\xff", now, now + CLOCK_SLACK_SECONDS, most
        rows = self._file.read(lambda db: db.execute(_SOME, asked).fetchall())
        return tuple(Sighting(to_text(key), since, until) for key, since, until in rows)

    def unsee(self, key: str) -> bool:
        """See `State.unsee`."""
        name = to_bytes(key)
        return self._file.transaction(lambda db: self._rows.deleted(db.execute(_FORGET, (name,)).fetchall()) > 0)

    def prune(self, db: sqlite3.Connection, now: float, most: int) -> int:
        """Forget at most `most` keys whose time is over; return how many."""
        return self._rows.deleted(db.execute(_PRUNE, (now, most)).fetchall())


def _find(db: sqlite3.Connection, key: bytes, now: float) -> float | None:
    row: tuple[float] | None = db.execute(_FIND, (key, now, now + CLOCK_SLACK_SECONDS)).fetchone()
    return row[0] if row else None
