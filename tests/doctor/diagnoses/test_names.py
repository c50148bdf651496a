"""A resolver that does not answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.doctor import breaks
from tests.doctor.breaks import policy
from tests.doctor.proof import Way, prove
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "one of the policy's servers dead": Way(
        policy("[policy]", '[dns]\nservers = ["127.0.0.1:9", "@NAMES@"]\n[policy]'),
        "warning",
        "not answer: 127.0.0.1:9$",
    ),
    "all of the policy's servers dead": Way(
        policy("[policy]", '[dns]\nservers = ["127.0.0.1:9", "[::1]:9"]\n[policy]'),
        "problem",
        "none of dns.servers answers",
    ),
    "DNS dead": Way(breaks.dead_dns, "problem", "DNS does not answer"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "names", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("names") == {"ok"}
