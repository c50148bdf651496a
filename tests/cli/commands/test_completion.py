"""Shell completion: the script for each shell, and what bash gets from it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from eximacl.cli import exits
from tests.cli.running import eximacl


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    done = eximacl("completion", shell)
    assert done.status == 0
    assert "_EXIMACL_COMPLETE" in done.out


SUMMARY = "Explain why a message was refused, deferred or accepted."


@pytest.mark.parametrize(
    ("shell", "words", "current", "offered"),
    [
        ("bash", "eximacl wh", "1", "plain,why\n"),
        ("zsh", "eximacl wh", "1", f"plain\nwhy\n{SUMMARY}\n"),
        ("fish", "eximacl wh", "wh", f"plain,why\t{SUMMARY}\n"),
        ("bash", "eximacl archive rel", "2", "plain,release\n"),
        ("bash", "eximacl exim install --dry", "3", "plain,--dry-run\n"),
    ],
)
def test_a_shell_completes(shell: str, words: str, current: str, offered: str) -> None:
    variables = {"_EXIMACL_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": current}
    command = [sys.executable, "-m", "eximacl"]
    done = subprocess.run(command, env={**os.environ, **variables}, check=False, capture_output=True, text=True)
    assert done.stdout == offered


def test_an_unknown_shell() -> None:
    assert eximacl("completion", "csh").status == exits.USAGE
