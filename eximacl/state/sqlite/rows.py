"""How many rows each owner has in a table, so that none grows without end.

The counts are this process's: they are read with the first new row, and again, at most once a minute, where they say
that there is no room. So another process on the same file changes the bound by what it adds in a minute.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable

from eximacl.policy.state import EVICTED_ROWS, ROWS_MAX, owner_of, too_many
from eximacl.state.sqlite.file import to_text

# Counting 500,000 rows takes some 30 ms, in which no query is answered.
RECOUNT_SECONDS = 60.0


class Rows:
    """The number of rows of each owner in one table.

    most: how many an owner may have; clock: seconds that never go back.
    """

    def __init__(self, table: str, most: int = ROWS_MAX, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._clock = clock
        self._recounted = float("-inf")
        self._of_owner = f"SELECT count(*) FROM {table} WHERE key >= ? AND key < ?"
        # `+key` has SQLite walk along `until`, and not sort all that the owner has.
        self._evict = (
            f"DELETE FROM {table} WHERE key IN "
            f"(SELECT key FROM {table} WHERE +key >= ? AND +key < ? ORDER BY until LIMIT ?) RETURNING key"
        )
        # A blob before its first colon.
        self._by_owner = f"SELECT CAST(substr(key, 1, instr(key, x'3A') - 1) AS BLOB), count(*) FROM {table} GROUP BY 1"
        self._counts: Counter[str] | None = None

    def load(self, db: sqlite3.Connection) -> Counter[str]:
        """Count the rows, unless they are counted already; 500,000 take some 100 ms."""
        if self._counts is None:
            found = db.execute(self._by_owner).fetchall()
            self._counts = Counter({to_text(owner): count for owner, count in found})
        return self._counts

    def is_full(self, db: sqlite3.Connection, key: str) -> bool:
        """Return whether the owner of `key` may have no more rows."""
        owner, counts = owner_of(key), self.load(db)
        if counts[owner] < self.most:
            return False
        if self._clock() >= self._recounted + RECOUNT_SECONDS:
            self._recounted = self._clock()
            counts[owner] = int(db.execute(self._of_owner, range_of(owner)).fetchone()[0])
        return counts[owner] >= self.most

    def check(self, db: sqlite3.Connection, key: str) -> None:
        """Raise StateError where the owner of `key` may have no more rows."""
        if self.is_full(db, key):
            raise too_many(key, self.most)

    def make_room(self, db: sqlite3.Connection, key: str) -> None:
        """Before a new row: where the owner of `key` may have no more, delete those of its rows that end first."""
        if self.is_full(db, key):
            self.deleted(db.execute(self._evict, (*range_of(owner_of(key)), EVICTED_ROWS)).fetchall())

    def added(self, key: str) -> None:
        """Count one row more, after `check` or `make_room`."""
        if self._counts is not None:
            self._counts[owner_of(key)] += 1

    def deleted(self, rows: Iterable[tuple[bytes]]) -> int:
        """Count these rows less, given as `RETURNING key` does; return how many there were."""
        keys = [key for (key,) in rows]
        if self._counts is not None:
            self._counts.subtract(owner_of(to_text(key)) for key in keys)
        return len(keys)


def range_of(owner: str) -> tuple[bytes, bytes]:
    """Return where the keys of an owner begin, and where they end."""
    start = owner.encode("utf-8", "surrogatepass")
    return start + b":", start + b";"  # the character after the colon
