"""The Exim that runs has read what is there now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.running import running
from eximacl.exim import Exim
from tests.doctor import breaks
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "config changed since the start": Way(breaks.changed_since_start, "warning", "before its configuration changed"),
    "Exim is stopped": Way(breaks.no_exim, "problem", "no Exim daemon runs"),
    "Exim has other macros": Way(breaks.second_exim("-DEXIMACL_TIMEOUT=9s"), "warning", "with -DEXIMACL_TIMEOUT=9s$"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "running", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("running") == {"ok"}


@pytest.mark.needs_exim
def test_a_configuration_that_is_not_there_is_told_elsewhere(tmp_path: Path) -> None:
    assert told(running, known(tmp_path, exim=Exim(config=tmp_path / "none"))) == []
