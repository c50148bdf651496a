"""Addresses in the file: how many there may be, and what a change costs. The rest is the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.policy import places as rules
from eximacl.policy.places import AddressChange, Terms
from eximacl.policy.state import StateError
from eximacl.state.sqlite import SqliteState
from eximacl.state.sqlite.addresses import COUNT_SECONDS
from tests.state.contract import NOW, UNTIL, opened

STEVE = Terms("steve@example.org", "a@example.net")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    with opened(SqliteState(tmp_path / "state.db")) as state:
        yield state


def test_there_is_an_end_to_their_number(state: SqliteState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of another process count within an hour, and those that are known go on working."""
    monkeypatch.setattr(rules, "ADDRESSES_MAX", 3)
    state.reserve("one", 2, "a", NOW, UNTIL, STEVE)
    with opened(SqliteState(tmp_path / "state.db")) as other:
        assert other.reserve("two", 2, "b", NOW, UNTIL, STEVE).slot == "reserved"
        assert other.reserve("three", 2, "c", NOW, UNTIL, STEVE).slot == "reserved"
        assert other.reserve("four", 2, "d", NOW, UNTIL, STEVE).slot == "crowded"
    state.prune(NOW + COUNT_SECONDS)
    assert state.reserve("four", 2, "d", NOW, UNTIL, STEVE).slot == "crowded"
    assert state.reserve("three", 2, "d", NOW, UNTIL, STEVE).slot == "reserved"
    with pytest.raises(StateError, match="addresses are known already"):
        state.revise("four", NOW, AddressChange("steve@example.org", 2))
    state.release("a")
    assert state.reserve("four", 2, "e", NOW, UNTIL, STEVE).slot == "reserved"


def test_a_persons_change_is_on_the_disk_before_it_is_answered(state: SqliteState, tmp_path: Path) -> None:
    state.revise("key", NOW, AddressChange("steve@example.org", 3, end=True))
    with opened(SqliteState(tmp_path / "state.db")) as other:
        known = other.known("key", NOW)
    assert known is not None
    assert known.ended == NOW
