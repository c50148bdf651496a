"""The versions of the state file: each becomes the newest one and keeps what it held."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from eximacl.policy.places import KnownAddress, Terms
from eximacl.policy.state import LOST_SECONDS, Block, StateError
from eximacl.state.sqlite import SqliteState
from eximacl.state.sqlite.schema import MIGRATIONS
from tests.state.contract import NOW, UNTIL, opened
from tests.state.forks import Tell, children


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def version(path: Path, number: int) -> None:
    """Make a file as that version left it."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(Path(__file__).with_name(f"version-{number}.sql").read_text())


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def schema_of(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {row[0] for row in db.execute("SELECT sql FROM sqlite_master")}


@pytest.mark.parametrize("number", range(1, len(MIGRATIONS) + 1))
def test_each_version_is_what_it_was_when_released(path: Path, tmp_path: Path, number: int) -> None:
    version(path, number)
    SqliteState(tmp_path / "new.db", MIGRATIONS[:number]).close()
    assert schema_of(tmp_path / "new.db") == schema_of(path)


def test_a_file_of_version_1_keeps_its_counts(path: Path) -> None:
    version(path, 1)
    with opened(SqliteState(path)) as state:
        assert state.places("counted:steve.3.count@example.org", NOW) == (2, 1)
        assert state.reserve("counted:steve.3.count@example.org", 3, "new", NOW, UNTIL).slot == "pending"
        assert state.commit("4711-3", NOW) == "committed"
        assert state.reserve("counted:steve.3.count@example.org", 3, "new", NOW, UNTIL).slot == "full"
    assert version_of(path) == len(MIGRATIONS)


def test_a_file_of_version_1_learns_the_new_verbs(path: Path) -> None:
    version(path, 1)
    with opened(SqliteState(path)) as state:
        assert (state.tally("key", 60, NOW), state.seen("key", NOW), state.blocks(NOW)) == (0, None, ())
        assert state.count("key", 60, 5, NOW) == 1
        assert state.first_seen("key", NOW, UNTIL) == NOW
        state.block("key", NOW, UNTIL, "why")
        assert state.blocks(NOW) == (Block("key", NOW, UNTIL, "why"),)


def test_a_file_of_version_2_keeps_what_it_knows(path: Path) -> None:
    version(path, 2)
    with opened(SqliteState(path)) as state:
        assert state.places("counted:steve.3.count@example.org", NOW) == (1, 0)
        assert state.count("bounces:steve@example.org", 600, 20, NOW) == 3
        assert state.seen("192.0.2.0/24 a@example.net steve@example.org", NOW) == NOW - 100
        assert state.blocks(NOW) == (
            Block("all:old@example.org", NOW - 60, math.inf, "by hand"),
            Block("bounces:joe@example.org", NOW - 50, NOW + 7200, "20 bounces in 10 min"),
        )


def test_a_file_of_version_3_keeps_what_it_knows(path: Path) -> None:
    version(path, 3)
    with opened(SqliteState(path)) as state:
        counted, dated = state.all_known(NOW)
        assert counted == KnownAddress(
            "counted:steve.3.count@example.org",
            "steve@example.org",
            limit=3,
            extra=2,
            used=2,
            reserved=1,
            since=1_799_000_000.0,
            first=1_799_000_000.0,
            last=1_799_990_000.0,
            first_sender="shop@example.net",
            last_sender="news@example.net",
            issued=True,
            note="the shop",
        )
        assert (dated.day, dated.ended) == ("2027-12-31", 1_799_990_000.0)


@pytest.mark.parametrize("number", [1, 2])
def test_used_places_of_an_older_file_are_never_forgotten_before_the_next_try(path: Path, number: int) -> None:
    """When they were last tried is not known; and no place of theirs may come back."""
    version(path, number)
    key = "counted:steve.3.count@example.org"
    with opened(SqliteState(path)) as state:
        used, _ = state.places(key, NOW)
        assert state.known(key, NOW) == KnownAddress(key, used=used, reserved=2 - number)
        assert state.forget_known(NOW + 1e10) == 0
        state.release("4711-1")
        assert state.places(key, NOW)[0] == used
        asked = key, used, "another", NOW, UNTIL, Terms("steve@example.org", "a@example.net")
        assert state.reserve(*asked).slot == "full"
        known = state.known(key, NOW)
        assert known is not None
        assert (known.owner, known.limit) == ("steve@example.org", used)
        state.prune(UNTIL + LOST_SECONDS)
        assert state.forget_known(NOW) == 0
        assert state.forget_known(NOW + 1) == 1


NEXT = ("ALTER TABLE places ADD COLUMN note TEXT NOT NULL DEFAULT ''", "CREATE INDEX places_by_note ON places (note)")


def test_a_migration_changes_the_schema_and_keeps_the_counts(path: Path) -> None:
    version(path, 1)
    with opened(SqliteState(path, (*MIGRATIONS, NEXT))) as state:
        assert state.places("counted:steve.3.count@example.org", NOW) == (2, 1)
        assert state.reserve("key", 1, "a", NOW, UNTIL).slot == "reserved"
    assert version_of(path) == len(MIGRATIONS) + 1
    assert any("note TEXT" in sql for sql in schema_of(path))


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    version(path, 1)
    before = schema_of(path)
    with pytest.raises(StateError, match=r"state\.db: .*nonsense"):
        SqliteState(path, (*MIGRATIONS, NEXT, ("nonsense",)))
    assert (version_of(path), schema_of(path)) == (1, before)
    with opened(SqliteState(path)) as state:
        assert state.places("counted:steve.3.count@example.org", NOW) == (2, 1)


def test_processes_that_start_together_migrate_once(path: Path) -> None:
    version(path, 1)

    def work(tell: Tell) -> None:
        with opened(SqliteState(path, (*MIGRATIONS, NEXT))) as state:
            tell(str(state.places("counted:steve.3.count@example.org", NOW)))

    with children(work, 6) as started:
        assert [child.line() for child in started] == ["(2, 1)"] * 6
        assert [child.wait() for child in started] == [0] * 6
    assert version_of(path) == len(MIGRATIONS) + 1
