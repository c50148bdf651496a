"""Places in the file: a commit syncs, and the connection goes back to its usual mode."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from eximacl.policy.state import LOST_SECONDS
from eximacl.state.sqlite.addresses import Addresses
from eximacl.state.sqlite.file import StateFile
from eximacl.state.sqlite.places import Places
from tests.state.contract import NOW, UNTIL


def test_only_commit_syncs_the_disk(tmp_path: Path) -> None:
    statements: list[str] = []
    with closing(StateFile(tmp_path / "state.db")) as file:
        places = Places(file, Addresses(file))
        places.reserve("key", 1, "a", NOW, UNTIL)
        file.read(lambda db: db.set_trace_callback(statements.append))
        places.release("nobody")
        assert not [sql for sql in statements if "synchronous" in sql]
        places.commit("a", NOW)
        assert [sql for sql in statements if "synchronous" in sql] == [
            "PRAGMA synchronous = FULL",
            "PRAGMA synchronous = NORMAL",
        ]
        assert statements.index("PRAGMA synchronous = FULL") < statements.index("COMMIT", 4)


def test_prune_returns_how_many_and_keeps_to_its_bound(tmp_path: Path) -> None:
    then = UNTIL + LOST_SECONDS
    with closing(StateFile(tmp_path / "state.db")) as file:
        places = Places(file, Addresses(file))
        for number in range(5):
            places.reserve("key", 9, str(number), NOW, UNTIL)
        assert [file.transaction(lambda db: places.prune(db, then, 3)) for _ in range(3)] == [3, 2, 0]
