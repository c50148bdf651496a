"""Blocks in the file: infinity is infinity, and a look waits for no writer."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from eximacl.policy.state import Block, StateError
from eximacl.state.sqlite.blocks import Blocks
from eximacl.state.sqlite.file import StateFile
from tests.state.contract import NOW, UNTIL


def test_for_ever_is_infinity_in_the_file(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state.db")) as file:
        Blocks(file).block("key", NOW, math.inf, "why")
        found = file.read(lambda db: db.execute("SELECT until, typeof(until), until = 9e999 FROM blocks").fetchone())
    assert found == (math.inf, "real", 1)


def test_a_look_waits_for_no_writer(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.db")
    with closing(file), closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        blocks = Blocks(file)
        blocks.block("key", NOW, UNTIL, "why")
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM blocks")
        assert blocks.blocked("key", NOW) == Block("key", NOW, UNTIL, "why")
        assert len(blocks.blocks(NOW)) == 1
        with pytest.raises(StateError, match="database is locked"):
            blocks.block("key", NOW, UNTIL, "why")
        other.execute("COMMIT")
        assert blocks.blocked("key", NOW) is None


def test_prune_returns_how_many_and_keeps_to_its_bound(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state.db")) as file:
        for number in range(5):
            Blocks(file).block(str(number), NOW, UNTIL, "why")
        assert [file.transaction(lambda db: Blocks(file).prune(db, UNTIL, 3)) for _ in range(3)] == [3, 2, 0]
