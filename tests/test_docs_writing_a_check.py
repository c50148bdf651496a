"""docs/writing-a-check.md is run as it stands: its files are written, its commands typed, their output compared.

A block whose first line names a file (```python checks/x.py) is that file; in a ```console block, lines that start
with `$ ` are typed into one shell, and `…` in the output stands for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "writing-a-check.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "\x1e"
COMMAND_SECONDS_MAX = 60


class Block(NamedTuple):
    language: str
    file: str
    text: str


class Typed(NamedTuple):
    command: str
    output: str


def blocks(page: str) -> list[Block]:
    return [Block(*match) for match in BLOCK.findall(page)]


def typed(console: str) -> list[Typed]:
    """Split a console block into commands, each with the output that is expected."""
    parts = re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
    return [Typed(*part.split("\n", 1)) for part in parts]


def run_in_one_shell(commands: list[str], directory: Path) -> list[str]:
    """Type the commands into a shell; return what each printed. `$?` reaches the next one."""
    script = "".join(f"{command}\nstatus=$?; printf '{END}'; (exit $status)\n" for command in commands)
    environ = {
        "PATH": os.pathsep.join((str(programs(directory)), os.environ["PATH"])),
        "PYTHONPATH": str(PAGE.parents[1]),
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # the reader has pytest, and none of the plugins that we have
    }
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1\n{script}"],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )
    return done.stdout.split(END)[:-1]


def programs(directory: Path) -> Path:
    """Return a directory with `python` and `eximacl`, as the reader has them; here they may have other names."""
    bin_directory = directory / "bin"
    bin_directory.mkdir(exist_ok=True)
    for name, module in (("python", ""), ("eximacl", "-m eximacl")):
        program = bin_directory / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        program.chmod(0o755)
    return bin_directory


def pattern(expected: str) -> str:
    return ".*".join(map(re.escape, expected.split("…")))


def test_the_page_runs(tmp_path: Path) -> None:
    found = blocks(PAGE.read_text(encoding="utf-8"))
    for block in found:
        if block.file:
            path = tmp_path / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            lines = typed(block.text)
            outputs = run_in_one_shell([line.command for line in lines], tmp_path)
            assert len(outputs) == len(lines)
            for line, output in zip(lines, outputs, strict=True):
                assert re.fullmatch(pattern(line.output), output, re.DOTALL), f"$ {line.command}\n{output}"
        else:
            assert tomllib.loads(block.text)
    assert {block.language for block in found} == {"python", "toml", "text", "console"}


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\n", "a\n", True),
        ("a…\n", "a b\n", True),
        ("a\n", "b\n", False),
        ("a\n", "a\nb\n", False),
        ("", "x\n", False),
    ],
)
def test_output_is_really_compared(expected: str, printed: str, same: bool) -> None:
    assert bool(re.fullmatch(pattern(expected), printed, re.DOTALL)) is same
