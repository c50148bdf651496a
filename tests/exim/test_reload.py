"""Only Exim's daemon is signalled, whatever a pid file says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from eximacl.exim import Exim, reload_exim
from eximacl.exim.apply import daemon_pid
from tests.doctor.world import PID_FILE, World
from tests.exim.machine import starts

EXIM = Exim()


def test_only_exims_daemon_is_signalled(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    assert reload_exim(EXIM, pid_file) is None
    with subprocess.Popen(["sleep", "60"]) as other:
        pid_file.write_text(f"{other.pid}\n")
        assert reload_exim(EXIM, pid_file) is None
        assert other.poll() is None
        other.kill()


def test_a_program_with_a_name_like_exims_is_none(tmp_path: Path) -> None:
    program = shutil.copy("/bin/sleep", tmp_path / "eximbackup")
    with subprocess.Popen([program, "60"]) as other:
        (tmp_path / "pid").write_text(f"{other.pid}\n")
        assert daemon_pid(EXIM, tmp_path / "pid") is None
        other.kill()


def test_a_pid_file_that_never_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")
    assert daemon_pid(EXIM, tmp_path / "pid") is None


@pytest.mark.parametrize("text", ["", "no number\n", "-1\n"])
def test_a_pid_file_that_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "pid").write_text(text)
    assert daemon_pid(EXIM, tmp_path / "pid") is None


def test_exim_starts_itself_anew(split: World) -> None:
    before = starts(split)
    done = split.run("python3", "-c", RELOAD, PID_FILE)
    assert done.out.strip().isdigit(), done
    split.wait_for_exim(before + 1)


RELOAD = """
import pathlib, sys
from eximacl.exim import Exim, reload_exim
print(reload_exim(Exim(), pathlib.Path(sys.argv[1])))
"""
