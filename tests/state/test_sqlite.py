"""`sqlite:` keeps the contract, answers as memory does, and survives full disks, foreign files and migrations."""

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
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from eximacl.questions import LOST_SECONDS, RESERVATION_SECONDS, State, StateError
from eximacl.state.memory import MemoryState
from eximacl.state.sqlite import MIGRATIONS, SqliteState, use_wal
from tests.state.contract import NOW, UNTIL, Contract, opened
from tests.state.forks import Child, Tell, children

VERSION_1 = Path(__file__).with_name("version-1.sql")
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


class TestSqlite(Contract):
    @pytest.fixture(autouse=True)
    def _path(self, path: Path) -> None:
        self.path = path

    def open(self) -> State:
        return SqliteState(self.path)


# --- against the model


LIMITS = {"one": 1, "two": 2, "three": 3}
KEYS = st.sampled_from(sorted(LIMITS))
HOLDERS = st.sampled_from("abcd")
STEPS = st.sampled_from([0.0, 1.0, RESERVATION_SECONDS / 2, RESERVATION_SECONDS, LOST_SECONDS])


class Comparison(RuleBasedStateMachine):
    """Whatever is asked of both, SQLite answers as the memory does."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.model = MemoryState()
        self.sqlite = SqliteState(Path(self.directory.name) / "state.db")
        self.now = NOW

    @rule(step=STEPS)
    def time_passes(self, step: float) -> None:
        self.now += step

    @rule(step=STEPS)
    def the_clock_is_set_back(self, step: float) -> None:
        self.now -= step

    @rule(key=KEYS, holder=HOLDERS, seconds=STEPS)
    def reserve(self, key: str, holder: str, seconds: float) -> None:
        asked = (key, LIMITS[key], holder, self.now)
        peeked = self.sqlite.peek(*asked)
        answer = self.sqlite.reserve(*asked, self.now + seconds)
        assert answer == peeked == self.model.reserve(*asked, self.now + seconds)

    @rule(key=KEYS, holder=HOLDERS)
    def peek(self, key: str, holder: str) -> None:
        asked = (key, LIMITS[key], holder, self.now)
        assert self.sqlite.peek(*asked) == self.model.peek(*asked)

    @rule(holder=HOLDERS)
    def commit(self, holder: str) -> None:
        assert self.sqlite.commit(holder, self.now) == self.model.commit(holder, self.now)

    @rule(holder=HOLDERS)
    def release(self, holder: str) -> None:
        assert self.sqlite.release(holder) == self.model.release(holder)

    @rule()
    def prune(self) -> None:
        assert self.sqlite.prune(self.now) == self.model.prune(self.now)

    @invariant()
    def the_same_places_and_never_too_many(self) -> None:
        for key, limit in LIMITS.items():
            places = self.sqlite.places(key, self.now)
            assert places == self.model.places(key, self.now)
            assert sum(places) <= limit

    def teardown(self) -> None:
        self.sqlite.close()
        self.directory.cleanup()


def test_sqlite_answers_as_memory_does() -> None:
    run_state_machine_as_test(Comparison, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))


# --- the disk


def test_a_full_disk_changes_nothing_and_passes(path: Path) -> None:
    """The kernel refuses to let the file grow (RLIMIT_FSIZE), then allows it again."""

    def work(tell: Tell) -> None:
        with opened(SqliteState(path)) as state:
            state.reserve("key", 3, "a", NOW, UNTIL)
            state.reserve("key", 3, "b", NOW, UNTIL)
            state.commit("a", NOW)
            size = path.with_name("state.db-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            for verb in (
                lambda: state.reserve("key", 3, "c", NOW, UNTIL),
                lambda: state.commit("b", NOW),
                lambda: state.release("a"),
            ):
                with pytest.raises(StateError, match=r"state\.db: (disk I/O error|database or disk is full)"):
                    verb()
            tell(str(state.places("key", NOW)))
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            tell(state.commit("b", NOW) + " " + state.reserve("key", 3, "c", NOW, UNTIL))
            tell(str(state.places("key", NOW)))

    with Child(work) as child:
        assert child.rest() == ["(1, 1)", "committed reserved", "(2, 1)"]
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
        change(path)
        for verb in (
            lambda: state.commit("a", NOW),
            lambda: state.reserve("key", 2, "b", NOW, UNTIL),
            lambda: state.release("a"),
            lambda: state.prune(UNTIL),
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
    "newer": (_newer, "has schema version 2, and this eximacl knows 1"),
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
    monkeypatch.setattr("eximacl.state.sqlite.OPEN_SECONDS", 0.05)
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


# --- schema versions


def version_1(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(VERSION_1.read_text())


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def schema_of(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {row[0] for row in db.execute("SELECT sql FROM sqlite_master")}


def test_version_1_is_what_it_was_when_released(path: Path, tmp_path: Path) -> None:
    version_1(path)
    SqliteState(tmp_path / "new.db", MIGRATIONS[:1]).close()
    assert schema_of(tmp_path / "new.db") == schema_of(path)


def test_a_file_of_version_1_keeps_its_counts(path: Path) -> None:
    version_1(path)
    with opened(SqliteState(path)) as state:
        assert state.places("counted:steve.3.count@example.org", NOW) == (2, 1)
        assert state.reserve("counted:steve.3.count@example.org", 3, "new", NOW, UNTIL) == "pending"
        assert state.commit("4711-3", NOW) == "committed"
        assert state.reserve("counted:steve.3.count@example.org", 3, "new", NOW, UNTIL) == "full"
    assert version_of(path) == len(MIGRATIONS)


NEXT = ("ALTER TABLE places ADD COLUMN note TEXT NOT NULL DEFAULT ''", "CREATE INDEX places_by_note ON places (note)")


def test_a_migration_changes_the_schema_and_keeps_the_counts(path: Path) -> None:
    version_1(path)
    with opened(SqliteState(path, (*MIGRATIONS[:1], NEXT))) as state:
        assert state.places("counted:steve.3.count@example.org", NOW) == (2, 1)
        assert state.reserve("key", 1, "a", NOW, UNTIL) == "reserved"
    assert version_of(path) == 2
    assert any("note TEXT" in sql for sql in schema_of(path))


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    version_1(path)
    before = schema_of(path)
    with pytest.raises(StateError, match=r"state\.db: .*nonsense"):
        SqliteState(path, (*MIGRATIONS[:1], NEXT, ("nonsense",)))
    assert (version_of(path), schema_of(path)) == (1, before)
    with opened(SqliteState(path, MIGRATIONS[:1])) as state:
        assert state.places("counted:steve.3.count@example.org", NOW) == (2, 1)


def test_processes_that_start_together_migrate_once(path: Path) -> None:
    version_1(path)

    def work(tell: Tell) -> None:
        with opened(SqliteState(path, (*MIGRATIONS[:1], NEXT))) as state:
            tell(str(state.places("counted:steve.3.count@example.org", NOW)))

    with children(work, 6) as started:
        assert [child.line() for child in started] == ["(2, 1)"] * 6
        assert [child.wait() for child in started] == [0] * 6
    assert version_of(path) == 2
