"""Variables that are not set yet have to mean an empty string."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.strict_vars import strict_vars
from tests.doctor.breaks import setting
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "strict variables": Way(setting("strict_acl_vars = true"), "problem", "strict_acl_vars is on"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "strict-vars", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("strict-vars") == {"ok"}


def test_without_the_snippets_it_is_the_admins_affair(tmp_path: Path) -> None:
    assert told(strict_vars, known(tmp_path, complaint="", settings={})) == []
