"""Who gets into a private directory."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from eximacl.exim_setup.private import RUN, private_directory


def test_a_directory_of_exims(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    exim = pwd.getpwnam("Debian-exim")
    with private_directory(exim.pw_uid) as home:
        (home / "made").mkdir()
        found = home.stat()
        assert (home.parent, found.st_uid, found.st_gid, found.st_mode & 0o777) == (RUN, 0, exim.pw_gid, 0o750)
    assert not home.exists()


def test_without_such_a_user_only_root_gets_in() -> None:
    for uid in (None, 4_000_000):
        with private_directory(uid) as home:
            assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (os.geteuid(), 0o700)
