"""The error of this package ends a command with its own words, and with the status for a configuration."""

from __future__ import annotations

from pathlib import Path

from eximacl.cli import exits
from tests.cli.running import eximacl


def test_a_command_shows_it(tmp_path: Path) -> None:
    done = eximacl("exim", "status", "--exim-dir", tmp_path)
    assert (done.status, done.out) == (exits.CONFIG, "")
    assert f"{tmp_path}/update-exim4.conf.conf: No such file or directory: install exim4-config" in done.err
