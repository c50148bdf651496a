"""The state file: full disks, files that vanish, foreign and damaged ones, locks at opening."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from eximacl.policy.state import StateError
from eximacl.state.sqlite import SqliteState
from eximacl.state.sqlite.file import use_wal
from eximacl.state.sqlite.schema import MIGRATIONS
from tests.state.contract import NOW, UNTIL, opened
from tests.state.forks import Child, Tell

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def test_a_full_disk_changes_nothing_and_passes(path: Path) -> None:
    """The kernel refuses to let the file grow (RLIMIT_FSIZE), then allows it again."""

    def work(tell: Tell) -> None:
        with opened(SqliteState(path)) as state:
            state.reserve("key", 3, "a", NOW, UNTIL)
            state.reserve("key", 3, "b", NOW, UNTIL)
            state.commit("a", NOW)
            state.first_seen("key", NOW, UNTIL)
            state.block("key", NOW, UNTIL, "a storm")
            state.count("old", 60, 9, NOW)
            size = path.with_name("state.db-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            for verb in (
                lambda: state.reserve("key", 3, "c", NOW, UNTIL),
                lambda: state.commit("b", NOW),
                lambda: state.release("a"),
                lambda: state.count("key", 60, 9, NOW),
                lambda: state.forget("old"),
                lambda: state.first_seen("new", NOW, UNTIL),
                lambda: state.remember("key", NOW, UNTIL + 9),
                lambda: state.block("key", NOW, UNTIL, "why"),
                lambda: state.unblock("key"),
            ):
                with pytest.raises(StateError, match=r"state\.db: (disk I/O error|database or disk is full)"):
                    verb()
            tell(str(state.places("key", NOW)))
            tell(f"{state.tally('key', 60, NOW)} {state.seen('new', NOW)} {state.seen('key', UNTIL)}")
            tell(state.blocks(NOW)[0].why)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            tell(state.commit("b", NOW) + " " + state.reserve("key", 3, "c", NOW, UNTIL).slot)
            tell(str(state.places("key", NOW)))
            tell(str(state.count("key", 60, 9, NOW)))

    with Child(work) as child:
        assert child.rest() == ["(1, 1)", "0 None None", "a storm", "committed reserved", "(2, 1)", "1"]
        assert child.wait() == 0
    with opened(SqliteState(path)) as state:
        assert state.places("key", NOW) == (2, 1)


def _delete(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def _replace(path: Path) -> None:
    _delete(path)
    SqliteState(path).close()


def _delete_wal(path: Path) -> None:
    path.with_name("state.db-wal").unlink()


@pytest.mark.parametrize("change", [_delete, _replace, _delete_wal])
def test_nothing_is_counted_in_a_file_that_is_no_longer_there(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "own" / "state.db"
    with opened(SqliteState(path)) as state:
        state.reserve("key", 2, "a", NOW, UNTIL)
        state.first_seen("key", NOW, UNTIL)
        change(path)
        for verb in (
            lambda: state.commit("a", NOW),
            lambda: state.reserve("key", 2, "b", NOW, UNTIL),
            lambda: state.release("a"),
            lambda: state.prune(UNTIL),
            lambda: state.count("key", 60, 9, NOW),
            lambda: state.forget("key"),
            lambda: state.first_seen("new", NOW, UNTIL),
            lambda: state.remember("key", NOW, UNTIL + 9),
            lambda: state.block("key", NOW, UNTIL, "why"),
            lambda: state.unblock("key"),
        ):
            with pytest.raises(StateError, match=r"state\.db.*: was deleted or replaced .* the daemon is restarted"):
                verb()
        assert state.places("key", NOW) == (0, 1)


def test_a_file_that_is_put_back_goes_on(path: Path) -> None:
    with opened(SqliteState(path)) as state:
        state.reserve("key", 1, "a", NOW, UNTIL)
        path.rename(path.with_name("away"))
        with pytest.raises(StateError, match="was deleted or replaced"):
            state.commit("a", NOW)
        path.with_name("away").rename(path)
        assert state.commit("a", NOW) == "committed"


def test_the_file_is_for_the_daemon_and_its_group(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "state.db"
    before = os.umask(0o022)
    try:
        state = SqliteState(path)
    finally:
        os.umask(before)
    with opened(state):
        state.reserve("key", 1, "a", NOW, UNTIL)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"state.db": 0o640, "state.db-wal": 0o640, "state.db-shm": 0o640}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_after_close_every_verb_is_an_error(path: Path) -> None:
    state = SqliteState(path)
    state.close()
    with pytest.raises(StateError, match=r"state\.db"):
        state.reserve("key", 1, "a", NOW, UNTIL)
    with pytest.raises(StateError, match=r"state\.db"):
        state.peek("key", 1, "a", NOW)


# --- what cannot be opened


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE mails (id)")


def _foreign_with_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 1")


def _newer(path: Path) -> None:
    SqliteState(path, (*MIGRATIONS, ("ALTER TABLE places ADD COLUMN note TEXT",))).close()


def _damaged(path: Path) -> None:
    with opened(SqliteState(path)) as state:
        for number in range(500):
            state.reserve(f"key {number}", 1, "a", NOW, UNTIL)
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 4)


def _below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


def _no_database(path: Path) -> None:
    path.write_bytes(b"no database\n" * 100)


UNUSABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "no database": (_no_database, "file is not a database"),
    "damaged": (_damaged, "damaged|malformed"),
    "another program's": (_foreign, "another program's database; change state.url"),
    "another program's, empty": (_foreign_with_version, "another program's database; change state.url"),
    "newer": (_newer, "has schema version 4, and this eximacl knows 3"),
    "a directory": (Path.mkdir, "unable to open database file"),
    "below a file": (_below_a_file, "File exists"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_file_is_named_and_left_alone(tmp_path: Path, name: str) -> None:
    make, text = UNUSABLE[name]
    path = tmp_path / "directory" / "state.db"
    path.parent.mkdir()
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StateError, match=text) as error:
        SqliteState(path)
    assert str(path) in str(error.value)
    assert before is None or path.read_bytes() == before


def test_a_file_that_may_not_be_written_is_named(path: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "state.db"
        SqliteState(path).close()
        path.chmod(0o444)
        path.parent.chmod(0o777)

        def work(tell: Tell) -> None:
            if os.getuid() == 0:
                os.setuid(NOBODY)
            with pytest.raises(StateError, match=rf"{path}: .*readonly database"):
                SqliteState(path)

        with Child(work) as child:
            assert child.wait() == 0


@pytest.mark.parametrize("lock", ["BEGIN EXCLUSIVE", "BEGIN; SELECT * FROM sqlite_master"])
def test_a_lock_at_opening_is_an_error_in_the_end(path: Path, monkeypatch: pytest.MonkeyPatch, lock: str) -> None:
    monkeypatch.setattr("eximacl.state.sqlite.file.OPEN_SECONDS", 0.05)
    path.touch()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in lock.split("; "):
            db.execute(statement).fetchone()
        with pytest.raises(StateError, match="database is locked"):
            SqliteState(path)
    SqliteState(path).close()


def test_a_short_lock_at_opening_is_waited_for(path: Path) -> None:
    path.touch()
    attempts: list[str] = []
    with closing(sqlite3.connect(path, timeout=0)) as db, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM sqlite_master").fetchone()

        def attempt(statement: str) -> None:
            attempts.append(statement)
            if len(attempts) == 3:
                other.execute("COMMIT")

        db.set_trace_callback(attempt)
        use_wal(db)
        assert attempts == ["PRAGMA journal_mode = WAL"] * 3
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
