"""A configuration that Exim refuses is told in its own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.config import config
from tests.doctor import breaks
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "config broken since the start": Way(breaks.broken_config, "problem", "no_such_option"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "config", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("config") == {"ok"}


def test_exims_words_are_shown(tmp_path: Path) -> None:
    ((level, what),) = told(config, known(tmp_path, complaint="error in line 3: no such thing"))
    assert (level, what) == ("problem", "Exim refuses its configuration: error in line 3: no such thing")
