"""The state verbs: each backend has all of them, and what their limits promise one another."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.policy import state as verbs
from eximacl.policy.state import Block, State, StateError
from eximacl.state import MemoryState, SqliteState
from tests.state.contract import opened
from tests.state.toy import ToyState

VERBS = sorted(name for name in vars(State) if not name.startswith("_"))
BACKENDS: dict[str, Callable[[Path], State]] = {
    "memory": lambda _: MemoryState(),
    "sqlite": lambda path: SqliteState(path / "state.db"),
    "toy": lambda path: ToyState(path / "toy.sock"),
}


def test_all_verbs() -> None:
    assert set(VERBS) == {
        *("reserve", "peek", "commit", "release", "places"),
        *("revise", "known", "all_known", "forget_known"),
        *("count", "tally", "forget", "first_seen", "seen", "remember", "sightings", "unsee"),
        *("block", "unblock", "blocked", "blocks"),
        *("prune", "close"),
    }
    assert issubclass(StateError, Exception)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_each_backend_has_each_verb_as_declared(tmp_path: Path, backend: str, verb: str) -> None:
    declared = list(inspect.signature(getattr(State, verb)).parameters)[1:]
    with opened(BACKENDS[backend](tmp_path)) as state:
        assert list(inspect.signature(getattr(state, verb)).parameters) == declared


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_says_what_it_does(verb: str) -> None:
    assert inspect.getdoc(getattr(State, verb))


def test_a_reservation_that_was_just_made_is_none_of_the_future() -> None:
    assert verbs.RESERVATION_SECONDS < verbs.FARTHEST_SECONDS < verbs.LOST_SECONDS


def test_a_block_is_a_frozen_value() -> None:
    block = Block("key", 1.0, 2.0, "why")
    assert block._replace(until=3.0) == ("key", 1.0, 3.0, "why")
    with pytest.raises(AttributeError):
        block.until = 4.0  # type: ignore[misc]
