"""What `eximacl exim` says of what is installed, and where it has nothing to work with; in directories of no Exim's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eximacl.cli import exits
from eximacl.cli.commands.exim import describe
from eximacl.exim import EximConfig, InstallState, fingerprint
from eximacl.system.text import printable_text
from tests.cli.running import eximacl
from tests.lab.site import ROOT

COPY = Path("/etc/exim4/eximacl/0123abcd")
FINE = InstallState(
    EximConfig(Path("/etc/exim4"), "unsplit"),
    switched=True,
    in_force=True,
    directory=COPY,
    missing=False,
    current=True,
    changed=False,
    router=True,
    by_hand=(),
    acl="/etc/exim4/eximacl/0123abcd/rcpt.acl",
)
STATES = [
    (FINE, "Debian's, one big file"),
    (FINE, "wiring         in force"),
    (FINE, f"snippets       {COPY}: of this version"),
    (FINE, "router         eximacl_disposable"),
    (replace(FINE, place=EximConfig(Path("/e"), "split")), "configuration  /e: Debian's, split (conf.d)"),
    (replace(FINE, switched=False, by_hand=("/e/a:3", "/e/b:4")), "in force, by hand: /e/a:3, /e/b:4"),
    (replace(FINE, by_hand=("/e/a:3",)), "twice: by eximacl exim install, and by hand in /e/a:3"),
    (replace(FINE, in_force=False, directory=None), "in the files, but not in what Exim reads: update-exim4.conf"),
    (replace(FINE, in_force=False, acl=""), "write acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT again"),
    (replace(FINE, in_force=False, switched=False), "not installed: eximacl exim install"),
    (replace(FINE, missing=True), "missing, so Exim takes mail without asking"),
    (replace(FINE, current=False), "of another version: eximacl exim install"),
    (replace(FINE, current=False, changed=True), "changed by hand"),
    (replace(FINE, router=False), "not delivered; eximacl exim install --router"),
]


@pytest.mark.parametrize(("state", "words"), STATES)
def test_each_state_in_words(state: InstallState, words: str) -> None:
    assert words in "\n".join(describe(state))


def test_a_terminal_is_safe() -> None:
    assert printable_text("one\nt\x1bwo") == "one\nt\\x1bwo"


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
