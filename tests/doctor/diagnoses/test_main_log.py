"""A log that Exim cannot write: it takes no mail then."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.access import Who
from eximacl.doctor.diagnoses import main_log as module
from eximacl.doctor.diagnoses.main_log import main_log
from eximacl.exim import Exim
from tests.doctor import breaks
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {"the log is root's": Way(breaks.roots_log, "problem", "may not write .*mainlog ")}
OTHER = Who("other", 4_000_000, frozenset({4_000_000}))


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "main-log", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("main-log") == {"ok"}


def look(home: Path, path: str = "%slog", who: Who | None = None) -> list[tuple[str, str]]:
    config = home / "exim.conf"
    config.write_text(f"keep_environment =\nlog_file_path = {home}/{path}\n")
    return told(main_log, known(home, exim=Exim(config=config), complaint="", exim_user=who, exim_view=Path("/")))


@pytest.mark.needs_exim
def test_a_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mainlog")
    assert look(tmp_path) == [("problem", f"Exim's main log: {tmp_path}/mainlog is not a regular file")]


@pytest.mark.needs_exim
def test_of_a_log_with_a_date_the_directory_counts(tmp_path: Path) -> None:
    assert look(tmp_path, "%slog-%D") == [("ok", f"Exim can write its main log, {tmp_path}/mainlog-%D")]
    tmp_path.chmod(0o700)
    ((level, what),) = look(tmp_path, "%slog-%D", OTHER)
    assert (level, ": other may not " in what) == ("problem", True)


@pytest.mark.needs_exim
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FREE_BYTES_MIN", 1 << 80)
    assert look(tmp_path) == [("problem", f"Exim's main log: the disk with {tmp_path}/mainlog is full")]


def test_a_configuration_that_exim_refuses_is_told_elsewhere(tmp_path: Path) -> None:
    assert told(main_log, known(tmp_path, complaint="broken")) == []
