"""docs/cli.md cannot drift from the commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import cli_reference as reference
from tools.cli_reference import PAGE


def test_the_page_is_what_the_help_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.reference(), "run make docs"


def test_make_docs_writes_it(tmp_path: Path) -> None:
    """Run as `make docs` runs it, where the package is a link and the page is not there yet."""
    (tmp_path / "eximacl").symlink_to(PAGE.parent.parent / "eximacl")
    (tmp_path / "tools").symlink_to(PAGE.parent.parent / "tools")
    (tmp_path / "docs").mkdir()
    subprocess.run([sys.executable, "-m", "tools.cli_reference"], check=True, cwd=tmp_path)
    assert (tmp_path / "docs" / "cli.md").read_bytes() == PAGE.read_bytes()


@pytest.mark.parametrize("command", ["serve", "check", "config test", "why"])
def test_it_has_a_section_for_each_command(command: str) -> None:
    assert f"## `eximacl {command}`" in reference.reference()
