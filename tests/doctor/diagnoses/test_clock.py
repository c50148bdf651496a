"""A clock that is wrong shows in the times of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.clock import clock
from eximacl.exim_setup import Exim
from tests.doctor import breaks
from tests.doctor.proof import NOW, Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "clock behind": Way(breaks.future, "problem", "state.db was changed in the future"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "clock", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("clock") == {"ok"}


def test_a_clock_before_this_version_is_wrong(tmp_path: Path) -> None:
    ((level, what),) = told(clock, known(tmp_path, now=0.0, absent="no Exim"))
    assert (level, what) == ("problem", "the clock is wrong: it is 1970")


def test_a_policy_that_is_wrong_leaves_exims_log(tmp_path: Path) -> None:
    log = tmp_path / "mainlog"
    log.touch()
    config = tmp_path / "exim.conf"
    config.write_text(f"keep_environment =\nlog_file_path = {tmp_path}/%slog\n")
    ((level, what),) = told(clock, known(tmp_path, "[nonsense]", now=NOW, exim=Exim(config=config)))
    assert (level, what) == ("ok", "the clock agrees with the files")
