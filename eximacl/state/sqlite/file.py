"""One SQLite file that several processes may share: transactions, opening, locks, migrations.

The file is in WAL mode. Every failure raises StateError, which names the file.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import quote

from eximacl.policy.state import StateError
from eximacl.state.sqlite.schema import APPLICATION_ID, MIGRATIONS
from eximacl.system.files import PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE, Identity, identity

T = TypeVar("T")

# A verb waits on the event loop for another process's transaction, which takes under a millisecond, or some ten with
# a slow disk's sync. Longer means that a process holds the lock, and every query would wait behind this one.
BUSY_MILLISECONDS = 100
# After such a wait in vain, no verb waits at all for this long: a hundred queries must not queue up for ten seconds.
# So the loop is blocked for at most a tenth of the time, and after a short lock queries wait for their turn again.
IMPATIENT_SECONDS = 1.0
# Opening waits for other processes that create, migrate or recover the same file at that moment.
OPEN_SECONDS = 5.0
OPEN_RETRY_SECONDS = 0.01

Sync = Literal["NORMAL", "FULL"]


class StateFile:
    """An open state file of the newest schema; safe to share between threads, not across a fork.

    path: the file; it and its directory are created where missing. Raises StateError when it cannot be used: not
    writable, damaged, not ours, or of a newer version.
    """

    def __init__(
        self,
        path: str | Path,
        migrations: Sequence[Sequence[str]] = MIGRATIONS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = Path(path).absolute()
        self._lock = threading.Lock()
        self._clock = clock
        self._impatient_until: float | None = None
        try:
            _create(self._path)
            # Taken before it is opened, so that a file that replaces it in between is noticed.
            self._files = {self._path: identity(self._path)}
            self._db = sqlite3.connect(self._path, timeout=OPEN_SECONDS, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"{self._path}: cannot open the state file: {error}") from error
        try:
            self._prepare(migrations)
        except sqlite3.Error as error:
            self._db.close()
            raise StateError(f"{self._path}: cannot use the state file: {error}") from error
        except StateError:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; calling it twice is harmless."""
        with self._lock:
            self._db.close()

    def transaction(self, work: Callable[[sqlite3.Connection], T], sync: Sync = "NORMAL") -> T:
        """Do `work` in one transaction. Raises StateError."""
        with self._lock:
            db = self._db
            try:
                if sync == "FULL":
                    db.execute("PRAGMA synchronous = FULL")
                self._begin()
                result = work(db)
                self._check_files()
                db.execute("COMMIT")
                return result
            except sqlite3.Error as error:
                raise StateError(f"{self._path}: {error}") from error
            finally:
                self._tidy(sync)

    def _begin(self) -> None:
        """Begin to write: wait for the lock, unless that was in vain a moment ago. Raises sqlite3.Error."""
        if self._impatient_until is not None and self._clock() >= self._impatient_until:
            self._wait_for_locks(True)
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY and self._impatient_until is None:
                self._wait_for_locks(False)
            raise
        if self._impatient_until is not None:
            self._wait_for_locks(True)

    def _wait_for_locks(self, patient: bool) -> None:
        self._impatient_until = None if patient else self._clock() + IMPATIENT_SECONDS
        self._db.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS if patient else 0}")

    def _check_files(self) -> None:
        """Raise StateError when the open file is not the one at its path: what is counted in it would be lost."""
        for path, known in self._files.items():
            if _identity(path) != known:
                raise StateError(
                    f"{path}: was deleted or replaced while it was in use; nothing is counted until it is back, "
                    "or the daemon is restarted (it then counts with the file that is there, or a new one)"
                )

    def _tidy(self, sync: Sync) -> None:
        """Leave the connection as each verb expects it; after a failure, roll back."""
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if sync == "FULL":
                self._db.execute("PRAGMA synchronous = NORMAL")

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work`, a single SELECT, which never waits for a writer. Raises StateError."""
        with self._lock:
            try:
                return work(self._db)
            except sqlite3.Error as error:
                raise StateError(f"{self._path}: {error}") from error

    def _prepare(self, migrations: Sequence[Sequence[str]]) -> None:
        if not _is_empty(self._db) and _number(self._db, "application_id") != APPLICATION_ID:
            raise StateError(f"{self._path}: is another program's database; change state.url")
        use_wal(self._db)
        self._db.execute("PRAGMA synchronous = FULL")
        damage = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise StateError(f"{self._path}: the state file is damaged ({damage}); restore it, or move it away")
        self.transaction(lambda db: self._migrate(db, migrations))
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._wait_for_locks(True)
        wal = Path(f"{self._path}-wal")
        self._files[wal] = _identity(wal)

    def _migrate(self, db: sqlite3.Connection, migrations: Sequence[Sequence[str]]) -> None:
        version = _number(db, "user_version")
        if version > len(migrations):
            raise StateError(
                f"{self._path}: has schema version {version}, and this eximacl knows {len(migrations)}; "
                "install the newer eximacl again, or change state.url"
            )
        for statements in migrations[version:]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(migrations)}")


def _create(path: Path) -> None:
    """Create the file and its directory where missing."""
    path.parent.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    # Not by opening it: closing a file drops all of this process's locks on it (POSIX, fcntl), also those of another
    # connection.
    with contextlib.suppress(FileExistsError):
        os.mknod(path, PRIVATE_FILE_MODE)


def use_wal(db: sqlite3.Connection) -> None:
    """Put the file in WAL mode. For this one statement SQLite itself does not wait for other processes' locks."""
    deadline = time.monotonic() + OPEN_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(OPEN_RETRY_SECONDS)


def _identity(path: Path) -> Identity | None:
    """Return the identity of a file; None for one that others do not find either."""
    try:
        return identity(path)
    except OSError:
        return None


def damage_of(path: Path) -> str:
    """Return what is wrong with a state file, for an administrator; empty: nothing, or it cannot be read now.

    It reads the whole file, beside what else is done with it: 90 ms for 300,000 rows.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as db:
            found = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return ""
        found = str(error)
    return "" if found == "ok" else found


def to_bytes(text: str) -> bytes:
    """Encode any text, broken bytes too, so that different texts stay different."""
    return text.encode("utf-8", "surrogatepass")


def to_text(key: bytes) -> str:
    """Undo `to_bytes`."""
    return key.decode("utf-8", "surrogatepass")


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0 and _number(db, "user_version") == 0
