"""A policy file that is wrong, or that the daemon has refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.client import DaemonError
from eximacl.doctor.diagnoses.policy import policy
from tests.doctor import breaks
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "policy wrong": Way(breaks.policy("[policy]", "[nonsense]\n[policy]"), "problem", "nonsense"),
    "policy refused at reload": Way(breaks.refused_reload, "problem", "refused its new policy"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "policy", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("policy") == {"ok"}


def test_the_first_of_many_problems_is_shown(tmp_path: Path) -> None:
    ((level, what),) = told(policy, known(tmp_path, "[nonsense]\n[more]\n"))
    assert (level, what.endswith("(and 1 more)")) == ("problem", True)


def test_without_the_daemon_the_file_is_looked_at_all_the_same(tmp_path: Path) -> None:
    case = known(tmp_path, _asked=DaemonError("nobody listens"))
    assert told(policy, case) == [("ok", f"{case.config} is right")]
