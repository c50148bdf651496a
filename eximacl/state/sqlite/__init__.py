"""State in one SQLite file, which several processes may share. Each verb is one transaction.

`commit` runs with synchronous=FULL: a used place is on the disk before it returns, so power loss cannot free it
again. The other verbs run with NORMAL: power loss may take the newest of what they wrote. `kill -9` loses nothing
either way. Measured on a 2-core machine with a virtual disk: reserve 60 µs, of a new address 110 µs, peek 16 µs, known
4 µs, release 90 µs, commit 350 µs with FULL; count 34 µs, of a new key 50 µs, tally 8 µs; first_seen 48 µs, of a known
key 5 µs, remember 50 µs; block 30 to 50 µs, unblock 30 µs, blocked 5 µs; a prune of 1,000 rows 2 to 8 ms; a page of
1,000 addresses 4 ms; opening a file of 300,000 places 90 ms, mostly the check for damage.

`blocked` is asked for every recipient. To remember that nothing is blocked, it would have to ask whether another
process has written since (PRAGMA data_version): that takes 3.5 µs, so it is not worth it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from eximacl.policy.state import PRUNE_ROWS, ROWS_MAX, Backend
from eximacl.state.sqlite.addresses import Addresses
from eximacl.state.sqlite.blocks import Blocks
from eximacl.state.sqlite.file import StateFile
from eximacl.state.sqlite.places import Places
from eximacl.state.sqlite.rows import Rows
from eximacl.state.sqlite.schema import MIGRATIONS
from eximacl.state.sqlite.seen import Seen
from eximacl.state.sqlite.windows import Windows


class SqliteState:
    """The contract of `State` on an SQLite file; safe to share between threads, not across a fork.

    Its arguments and errors are those of `StateFile`. rows: how many each owner may have in a table. What each verb
    does is described in `State`.
    """

    def __init__(
        self,
        path: str | Path,
        migrations: Sequence[Sequence[str]] = MIGRATIONS,
        clock: Callable[[], float] = time.monotonic,
        rows: int = ROWS_MAX,
    ) -> None:
        self._file = file = StateFile(path, migrations, clock)
        addresses = Addresses(file)
        windows = Windows(file, Rows("windows", rows, clock))
        seen = Seen(file, Rows("seen", rows, clock))
        blocks = Blocks(file, Rows("blocks", rows, clock))
        places = Places(file, addresses)
        # Bound here, each verb is one call and not two.
        self.reserve, self.peek, self.commit = places.reserve, places.peek, places.commit
        self.release, self.places = places.release, places.places
        self.revise, self.known = addresses.revise, addresses.known
        self.all_known, self.forget_known = addresses.all_known, addresses.forget_known
        self.count, self.tally, self.forget = windows.count, windows.tally, windows.forget
        self.first_seen, self.seen, self.remember = seen.first_seen, seen.seen, seen.remember
        self.sightings, self.unsee = seen.sightings, seen.unsee
        self.block, self.unblock = blocks.block, blocks.unblock
        self.blocked, self.blocks = blocks.blocked, blocks.blocks
        self._families = addresses, places, windows, seen, blocks

    def prune(self, now: float) -> int:
        """See `State.prune`."""

        def work(db: sqlite3.Connection) -> int:
            left = PRUNE_ROWS
            for family in self._families:
                left -= family.prune(db, now, left)
            return PRUNE_ROWS - left

        return self._file.transaction(work)

    def close(self) -> None:
        """See `State.close`."""
        self._file.close()


def _open(path: str, rows: int) -> SqliteState:
    return SqliteState(path, rows=rows)


BACKEND = Backend(form="sqlite:PATH", rest=r"[^\0]+", open=_open, is_file=True)
