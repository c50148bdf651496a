"""The Exim that listens is talked to, unless that is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.live import live
from tests.doctor import breaks
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "nobody listens": Way(breaks.nobody_listens, "warning", "127.0.0.1:1 does not talk SMTP"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "live", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("live") == {"ok"}


def test_it_can_be_left_out(tmp_path: Path) -> None:
    assert told(live, known(tmp_path)) == []
