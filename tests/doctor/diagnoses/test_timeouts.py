"""Time limits that are none, too short, or too long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.timeouts import seconds, timeouts
from tests.doctor.breaks import setting
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "time limit 0": Way(setting("EXIMACL_TIMEOUT = 0s"), "problem", "EXIMACL_TIMEOUT is '0s'"),
    "time limit of no unit": Way(setting("EXIMACL_HOLD_TIMEOUT = 60"), "problem", "EXIMACL_HOLD_TIMEOUT is '60'"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "timeouts", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("timeouts") == {"ok"}


TIMES = [("5s", 5), ("1m30s", 90), ("2h", 7200), ("1d", 86400), ("1w", 604800), ("", None), ("60", None), ("5 s", None)]
LIMITS = [
    ("ask=5s held=60s", ["ok"]),
    ("ask=5s held=1w", ["ok"]),
    ("ask=4s held=60s", ["warning"]),
    ("ask=2s held=60s", ["warning"]),
    ("ask=1s held=60s", ["warning"]),
    ("ask=10m held=60s", ["warning"]),
    ("ask=0s held=60", ["problem", "problem"]),
    ("", []),
]


@pytest.mark.parametrize(("text", "value"), TIMES)
def test_exims_times(text: str, value: int | None) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(("limits", "levels"), LIMITS)
def test_which_are_sane(tmp_path: Path, limits: str, levels: list[str]) -> None:
    case = known(tmp_path, settings={"timeout": limits})
    assert [level for level, _ in told(timeouts, case)] == levels
