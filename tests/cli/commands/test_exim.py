"""`eximacl exim` where it has nothing to work with: in directories that no Exim uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.cli import exits
from eximacl.exim import fingerprint
from tests.cli.running import eximacl
from tests.lab.site import ROOT


@pytest.mark.parametrize("dry", [True, False])
def test_a_hand_written_configuration_is_told_what_to_add(tmp_path: Path, dry: bool) -> None:
    (tmp_path / "exim4.conf").touch()
    config = tmp_path / "eximacl.toml"
    config.write_text('[server]\nsocket = "/run/mine"\n')
    options = ["--dry-run"] if dry else []
    done = eximacl("exim", "install", *options, "--exim-dir", tmp_path, "--config", config)
    copy = tmp_path / "eximacl" / fingerprint(ROOT / "exim-snippets")
    assert done.status == 0
    assert f"EXIMACL_DIR = {copy}\n      EXIMACL_SOCKET = /run/mine\n" in done.out
    assert copy.is_dir() is not dry


NOTHING = [
    (("status", "--snippets", "/no/such"), "no snippets in /no/such"),
    (("status", "--exim", "/no/such"), "install exim4-daemon-light"),
    (("remove", "--exim-dir", "/no/such"), "/no/such/update-exim4.conf.conf: No such file or directory"),
]


@pytest.mark.parametrize(("command", "words"), NOTHING)
def test_what_is_missing_is_named(tmp_path: Path, command: tuple[str, ...], words: str) -> None:
    (tmp_path / "exim4.conf").touch()
    done = eximacl("exim", command[0], "--exim-dir", tmp_path, *command[1:])
    assert (done.status, words in done.err) == (exits.CONFIG, True)


def test_nothing_to_remove(tmp_path: Path) -> None:
    (tmp_path / "exim4.conf").touch()
    done = eximacl("exim", "remove", "--exim-dir", tmp_path)
    assert (done.status, "Nothing to change" in done.out) == (0, True)
