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


def test_bash_completes_a_command() -> None:
    environ = {**os.environ, "_EXIMACL_COMPLETE": "bash_complete", "COMP_WORDS": "eximacl che", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-m", "eximacl"], env=environ, check=False, capture_output=True, text=True)
    assert "plain,check" in done.stdout


def test_an_unknown_shell() -> None:
    assert eximacl("completion", "csh").status == exits.USAGE
