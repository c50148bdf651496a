"""Counts that cannot be remembered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.state import state
from tests.doctor.breaks import full
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

STATE = 'url = "sqlite:state.db"'
WAYS: dict[str, Way] = {
    "disk of the state full": Way(full(STATE, 'url = "sqlite:DISK/s.db"'), "problem", "state.url: the disk .* full"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "state", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("state") == {"ok"}


def test_in_memory_nothing_is_written(tmp_path: Path) -> None:
    assert told(state, known(tmp_path, '[state]\nurl = "memory:"\n')) == [("ok", "state.url is memory:")]


def test_a_policy_that_is_wrong_names_none(tmp_path: Path) -> None:
    assert told(state, known(tmp_path, "[nonsense]")) == []
