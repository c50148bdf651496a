"""Snippets that are missing, old, changed, or not for Exim's eyes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.snippets import snippets
from tests.doctor import breaks
from tests.doctor.breaks import snippet
from tests.doctor.proof import SNIPPETS, Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "old": Way(snippet("rcpt.acl", "# The RCPT stage", "# An older one"), "warning", "not those of this"),
    "one is missing": Way(breaks.no_acl, "problem", "lacks want.acl"),
    "one is unreadable": Way(breaks.unreadable_snippet, "problem", "may not read ask.acl"),
    "all are gone": Way(breaks.no_snippets, "problem", "is missing"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "snippets", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("snippets") == {"ok"}


def test_without_a_directory_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    assert told(snippets, known(tmp_path, directory=None)) == []


def test_without_exims_user_its_rights_are_not_guessed(tmp_path: Path) -> None:
    case = known(tmp_path, directory=SNIPPETS, exim_user=None, exim_view=Path("/"))
    assert told(snippets, case) == [("ok", f"the snippets in {SNIPPETS} are of this version")]
