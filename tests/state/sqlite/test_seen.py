"""First times in the file: what is known is answered while another process writes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from eximacl.policy.state import StateError
from eximacl.state.sqlite.file import StateFile
from eximacl.state.sqlite.seen import Seen
from tests.state.contract import NOW, UNTIL


def test_what_is_known_waits_for_no_writer(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.db")
    with closing(file), closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        seen = Seen(file)
        seen.first_seen("key", NOW, UNTIL)
        other.execute("BEGIN IMMEDIATE")
        assert seen.first_seen("key", NOW + 1, UNTIL) == NOW
        assert seen.seen("key", NOW) == NOW
        assert not seen.remember("new", NOW, UNTIL)
        with pytest.raises(StateError, match="database is locked"):
            seen.first_seen("new", NOW, UNTIL)
        with pytest.raises(StateError, match="database is locked"):
            seen.remember("key", NOW, UNTIL + 1)


def test_another_process_that_saw_it_first_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the transaction, another connection notes the same key."""
    path = tmp_path / "state.db"
    with closing(StateFile(path)) as file, closing(StateFile(path)) as another:
        seen = Seen(file)
        transaction = file.transaction

        def late(work: object) -> object:
            Seen(another).first_seen("key", NOW - 5, UNTIL)
            return transaction(work)  # type: ignore[arg-type]

        monkeypatch.setattr(file, "transaction", late)
        assert seen.first_seen("key", NOW, UNTIL) == NOW - 5


def test_prune_returns_how_many_and_keeps_to_its_bound(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state.db")) as file:
        for number in range(5):
            Seen(file).first_seen(str(number), NOW, UNTIL)
        assert [file.transaction(lambda db: Seen(file).prune(db, UNTIL, 3)) for _ in range(3)] == [3, 2, 0]
