"""The command line as a whole: help, exit statuses, and ends that nobody wants."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("config", "test", "x.toml"), "x.toml is not a list; name the policy file with --config"),
        (("status", "x.toml"), "(x.toml); name the policy file with --config"),
        (("config", "show", "x"), "unexpected extra argument (x)\n"),
        (("--config", "x", "status"), "No such option '--config' here; put it after the command."),
        (("archive", "--json", "list"), "No such option '--json' here; put it after the command."),
        (("--frobnicate",), "No such option"),
        (("why", "7KQ2M9D4", "--journal", __file__), f"--journal: {__file__} is a file, not a directory"),
        (("archive", "list", "--archive", __file__), f"--archive: {__file__} is a file, not a directory"),
    ],
)
def test_what_stands_in_the_wrong_place(args: tuple[str, ...], words: str) -> None:
    done = eximacl(*args)
    assert done.status == exits.USAGE
    assert words in done.err


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        (("archive", "delete", "7KQ2M9D4"), "archive purge"),
        (("archive", "rm"), "archive purge"),
        (("release", "7KQ2M9D4"), "archive release"),
        (("show",), "archive show"),
    ],
)
def test_names_that_others_use(args: tuple[str, ...], meant: str) -> None:
    done = eximacl(*args)
    assert done.status == exits.USAGE
    assert done.err.endswith(f"it is `eximacl {meant}`.\n")


ASK = "check --offline --ip 192.0.2.7 --from '' --rcpt steve@example.org"


@pytest.mark.parametrize(
    "command", [ASK, f"{ASK} --json", "config sample", "config explain", "--help", "completion bash"]
)
@pytest.mark.parametrize("where", ["> /dev/full", "| true"])
def test_output_that_cannot_be_written_is_no_verdict(config: Path, command: str, where: str) -> None:
    script = f"{sys.executable} -m eximacl {command} {where}; exit ${{PIPESTATUS[0]}}"
    environ = {**os.environ, "EXIMACL_CONFIG": str(config)}
    done = subprocess.run(["bash", "-c", script], check=False, capture_output=True, text=True, env=environ)
    assert "Traceback" not in done.stderr
    # A pipe takes what fits into it, before its reader goes away or after.
    assert done.returncode == exits.IO_ERROR or (where == "| true" and done.returncode == 0)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (click.Abort(), 130, "Stopped."),
        (KeyboardInterrupt(), 130, "Stopped."),
        (click.ClickException("no"), 64, "Error: no"),
        (OSError(28, "No space left on device"), 74, "the output, cannot be written: No space left"),
        (BrokenPipeError(), 74, ""),
        (ZeroDivisionError("oh"), 70, ""),
    ],
)
def test_how_a_command_may_end(monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, words: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "invoke", fail)
    monkeypatch.setattr("eximacl.cli._discard_output", lambda: None)
    done = eximacl("status")
    assert done.status == status
    assert words in done.err
