"""The Exim that runs has read what is there now."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.running import _started, running
from eximacl.exim_setup import Exim
from tests.doctor import breaks
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "config changed since the start": Way(breaks.changed_since_start, "warning", "before its configuration changed"),
    "config not made yet": Way(breaks.not_made_yet, "warning", "000_localmacros is newer"),
    "Exim is stopped": Way(breaks.no_exim, "warning", "no Exim daemon runs"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "running", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("running") == {"ok"}


LOGGED = [
    ("", 1000.0),
    ("2001-01-02 03:04:05 exim 4.96 daemon started: pid=7, -q30m\n", 978404645.0),
    ("2001-01-02 03:04:05 exim 4.96 daemon started: pid=71, -q30m\n", 1000.0),  # another
    ("2001-01-02 03:04:05 daemon started: pid=7\n2001-01-02 03:04:06 daemon started: pid=7\n", 978404646.0),
]


@pytest.mark.parametrize(("log", "at"), LOGGED)
def test_when_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str, at: float) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        (tmp_path / "log").write_text(log)
        (tmp_path / "pid").touch()
        os.utime(tmp_path / "pid", (1000, 1000))
        assert _started(known(tmp_path, main_log=tmp_path / "log"), tmp_path / "pid", 7) == at
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_configuration_that_is_not_there_is_told_elsewhere(tmp_path: Path) -> None:
    assert told(running, known(tmp_path, exim=Exim(config=tmp_path / "none"))) == []
