"""What is blocked, in SQLite."""

from __future__ import annotations

import sqlite3

from eximacl.policy.state import BLOCKS_MAX, CLOCK_SLACK_SECONDS, Block
from eximacl.state.sqlite.file import StateFile, to_bytes, to_text
from eximacl.state.sqlite.rows import Rows

# 9e999 is infinity, for which SQLite has no word: no clock can make a block for ever one of the future.
_STANDS = f"until > ? AND (since <= ? + {CLOCK_SLACK_SECONDS} OR until = 9e999)"
_FIND = f"SELECT key, since, until, why FROM blocks WHERE key = ? AND {_STANDS}"
_SOME = f"SELECT key, since, until, why FROM blocks WHERE key >= ? AND {_STANDS} ORDER BY key LIMIT ?"
_EXTEND = f"UPDATE blocks SET until = max(until, ?) WHERE key = ? AND {_STANDS}"
_MAKE = "INSERT OR REPLACE INTO blocks (key, since, until, why) VALUES (?, ?, ?, ?)"
_END = "DELETE FROM blocks WHERE key = ? RETURNING key"
_PRUNE = (
    "DELETE FROM blocks WHERE key IN (SELECT key FROM blocks WHERE until <= ? ORDER BY until LIMIT ?) RETURNING key"
)


class Blocks:
    """`block`, `unblock`, `blocked` and `blocks` of `State`."""

    def __init__(self, file: StateFile, rows: Rows | None = None) -> None:
        self._file = file
        self._rows = rows or Rows("blocks")

    def block(self, key: str, now: float, until: float, why: str) -> None:
        """See `State.block`."""
        name = to_bytes(key)

        def work(db: sqlite3.Connection) -> None:
            if not db.execute(_EXTEND, (until, name, now, now)).rowcount:
                self._rows.check(db, key)
                db.execute(_MAKE, (name, now, until, to_bytes(why)))
                self._rows.added(key)

        self._file.transaction(work)

    def unblock(self, key: str) -> bool:
        """See `State.unblock`."""
        name = to_bytes(key)
        return self._file.transaction(lambda db: self._rows.deleted(db.execute(_END, (name,)).fetchall()) > 0)

    def blocked(self, key: str, now: float) -> Block | None:
        """See `State.blocked`."""
        row = self._file.read(lambda db: db.execute(_FIND, (to_bytes(key), now, now)).fetchone())
        return _block(*row) if row else None

    def blocks(self, now: float, after: str | None = None, most: int = BLOCKS_MAX) -> tuple[Block, ...]:
        """See `State.blocks`."""
        # No key lies between one and the same with a NUL more.
        first = b"" if after is None else to_bytes(after) + b"\0"
        rows = self._file.read(lambda db: db.execute(_SOME, (first, now, now, most)).fetchall())
        return tuple(_block(*row) for row in rows)

    def prune(self, db: sqlite3.Connection, now: float, most: int) -> int:
        """Delete at most `most` blocks that have ended; return how many."""
        return self._rows.deleted(db.execute(_PRUNE, (now, most)).fetchall())


def _block(key: bytes, since: float, until: float, why: bytes) -> Block:
    return Block(to_text(key), since, until, to_text(why))
