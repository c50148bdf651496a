"""The command line as a whole: help, exit statuses, and ends that nobody wants."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from eximacl import __version__
from eximacl.cli import cli, exits
from tests.cli.running import eximacl


def commands(group: click.Group = cli, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        found.append((*prefix, name))
        if isinstance(command, click.Group):
            found += commands(command, (*prefix, name))
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    done = eximacl(*command, "--help")
    assert done.status == 0
    assert "Usage: eximacl " + " ".join(command) in done.out
    assert eximacl(*command, "-h").out == done.out


def test_version() -> None:
    assert eximacl("--version").out == f"eximacl, version {__version__}\n"


@pytest.mark.parametrize("args", [("frobnicate",), ("why",), ("check", "--ip")])
def test_usage_errors_are_no_verdicts(args: tuple[str, ...]) -> None:
    done = eximacl(*args)
    assert done.status == exits.USAGE
    assert "Error: " in done.err


def test_a_reader_that_goes_away() -> None:
    command = f"{sys.executable} -m eximacl config sample | head -n 1 >/dev/null; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
    assert "Traceback" not in done.stderr


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise click.Abort

    monkeypatch.setattr(cli, "main", interrupt)
    assert eximacl("status") == (130, "", "Stopped.\n")
