"""What the settings say for the time when the daemon is away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.on_failure import on_failure
from tests.doctor.breaks import setting
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "failure word misspelt": Way(setting("EXIMACL_ON_FAILURE = acept"), "problem", "'acept'"),
    "counted mail without the daemon": Way(
        setting("EXIMACL_COUNTED_ON_FAILURE = accept"), "warning", "EXIMACL_COUNTED_ON_FAILURE is accept"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "on-failure", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("on-failure") == {"ok"}


WORDS = [
    ("rcpt=accept data=accept counted=defer", ["ok"]),
    ("rcpt=defer data=defer counted=defer", ["ok"]),
    ("rcpt=acept data= counted=defer", ["problem", "problem"]),
    ("rcpt=accept counted=accept", ["warning", "ok"]),
    ("", []),
]


@pytest.mark.parametrize(("words", "levels"), WORDS)
def test_which_words_are_right(tmp_path: Path, words: str, levels: list[str]) -> None:
    case = known(tmp_path, settings={"on_failure": words})
    assert [level for level, _ in told(on_failure, case)] == levels
