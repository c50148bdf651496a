"""When Exim's daemon was started, by its pid file and its logs, and how it was called."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eximacl.exim import Exim
from eximacl.exim.startup import overrides, started

pytestmark = pytest.mark.needs_exim


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


STARTED = "exim 4.96 daemon started: pid=7, -q30m\n"
PID_FILE = at("2000-01-01")
LOGGED = [
    ("", "UTC", PID_FILE),
    (f"2001-01-02 03:04:05 {STARTED}", "UTC", at("2001-01-02T03:04:05")),
    (f"2001-01-02 03:04:05 {STARTED}", "Asia/Tokyo", at("2001-01-01T18:04:05")),
    (f"2001-01-02 03:04:05 {STARTED}", "America/Los_Angeles", at("2001-01-02T11:04:05")),
    (f"2001-01-02 03:04:05.678 +0900 [7] {STARTED}", "UTC", at("2001-01-01T18:04:05")),  # with Exim's log selectors
    (f"Jan  2 03:04:05 mx exim[7]: 2001-01-02 03:04:05 {STARTED}", "UTC", at("2001-01-02T03:04:05")),  # by syslog
    ("2001-01-02 03:04:05 exim 4.96 daemon started: pid=71, -q30m\n", "UTC", PID_FILE),  # another
    (f"2001-01-02 03:04:05 H=x rejected EHLO: {STARTED}", "UTC", PID_FILE),  # a client's words
    (f"2001-01-02 03:04:05 {STARTED}2001-01-02 03:04:06 {STARTED}", "UTC", at("2001-01-02T03:04:06")),
]
NAMED = {"%slog": "mainlog", "%slog-%D": "mainlog-20010102", "%slog.": "mainlog..1", "%slog-%M": "mainlog-200101"}


def made(home: Path, log: str, zone: str, path: str = "%slog") -> tuple[Exim, Path]:
    config, pid_file = home / "exim.conf", home / "pid"
    config.write_text(f"keep_environment =\ntimezone = {zone}\nlog_file_path = {home}/{path}\n")
    (home / NAMED[path]).write_text(log)
    pid_file.touch()
    os.utime(pid_file, (PID_FILE, PID_FILE))
    return Exim(config=config), pid_file


@pytest.mark.parametrize(("log", "zone", "moment"), LOGGED)
def test_when_it_was_started(tmp_path: Path, log: str, zone: str, moment: float) -> None:
    exim, pid_file = made(tmp_path, log, zone)
    assert started(exim, pid_file, 7) == moment


@pytest.mark.parametrize("path", NAMED)
def test_a_log_with_a_date_or_rotated(tmp_path: Path, path: str) -> None:
    exim, pid_file = made(tmp_path, f"2001-01-02 03:04:05 {STARTED}", "UTC", path)
    assert started(exim, pid_file, 7) == at("2001-01-02T03:04:05")


def test_a_fifo_in_a_files_place_is_not_waited_for(tmp_path: Path) -> None:
    exim, pid_file = made(tmp_path, "", "UTC")
    (tmp_path / "mainlog").unlink()
    os.mkfifo(tmp_path / "mainlog")
    assert started(exim, pid_file, 7) == PID_FILE


ARGUMENTS = [
    (["-bd", "-q30m", "-oX", "25", "-oP", "/run/x.pid"], []),
    (["-C", "/etc/other", "-bd"], ["-C /etc/other"]),
    (["-C/etc/other", "-D", "A=b", "-DC=d", "-d"], ["-C/etc/other", "-D A=b", "-DC=d"]),
]


@pytest.mark.parametrize(("words", "found"), ARGUMENTS)
def test_which_arguments_make_another_configuration(words: list[str], found: list[str]) -> None:
    assert list(overrides(words)) == found
