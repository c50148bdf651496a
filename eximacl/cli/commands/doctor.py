"""`eximacl doctor`: look at everything, and say what is wrong and what to do."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.commands.exim import snippets_option
from eximacl.cli.options import Failure, config_option, json_option, print_json, socket_option
from eximacl.cli.output import write_line
from eximacl.doctor import Case, Finding, examine
from eximacl.exim import Exim, SetupError, find_shipped
from eximacl.system import paths
from eximacl.system.text import printable

MARKS = {"ok": "ok     ", "warning": "WARNING", "problem": "PROBLEM"}
PROBLEMS = 1


@click.command(cls=Command, section=Section.SETUP)
@click.option(
    "--smtp",
    metavar="HOST:PORT",
    default="127.0.0.1:25",
    show_default=True,
    help="Where Exim listens. '' skips the session with it.",
)
@click.option("--pid-file", type=click.Path(path_type=Path), help="Exim's pid file.  [default: the one it names]")
@click.option("--exim", "exim_path", type=click.Path(path_type=Path), default=paths.EXIM, show_default=True,
              help="The Exim program.")  # fmt: skip
@snippets_option
@click.option("-q", "--quiet", is_flag=True, help="Print warnings and problems only.")
@json_option
@config_option
@socket_option
def doctor(
    smtp: str, pid_file: Path | None, exim_path: Path, snippets: Path | None, quiet: bool, as_json: bool,
    config_path: Path, socket_path: Path | None,
) -> int:  # fmt: skip
    """Check that Exim, the daemon, the disk and DNS work together.

    It changes nothing and sends nothing. It asks Exim what it has read (exim4 -bP), and talks to it in sessions that
    deliver nothing (exim4 -bh); there, the doctor answers in the daemon's place. What it asks the daemon is neither
    counted nor logged.

    The exit status is 1 if there is a problem, and 0 if there are only warnings. docs/doctor.md explains each line
    (/usr/share/doc/eximacl/docs/doctor.md).

    \b
    Examples:
      eximacl doctor
      eximacl doctor --quiet && echo all is well
      eximacl doctor --json | jq 'select(.level == "problem")'
    """
    if os.geteuid() != 0:
        raise Failure("the doctor looks at Exim's and the daemon's files: run it as root", exits.USAGE)
    try:
        shipped = find_shipped(snippets)
    except SetupError as error:
        raise Failure(str(error), exits.CONFIG) from None
    program = exim_path if len(exim_path.parts) == 1 else _absolute(exim_path, "--exim")
    case = Case(
        Exim(program),
        _absolute(config_path, "--config"),
        shipped.absolute(),
        time.time(),
        _absolute(socket_path, "--socket") if socket_path else None,
        _address(smtp),
        _absolute(pid_file, "--pid-file") if pid_file else None,
    )
    counts = {"ok": 0, "warning": 0, "problem": 0}
    for finding in examine(case):
        counts[finding.level] += 1
        if quiet and finding.level == "ok":
            continue
        if as_json:
            print_json(asdict(finding))
        else:
            _print(finding)
    if not as_json and not (quiet and not counts["problem"] and not counts["warning"]):
        click.echo(f"\n{counts['ok']} ok, {_count(counts, 'warning')}, {_count(counts, 'problem')}")
    return PROBLEMS if counts["problem"] else 0


def _absolute(path: Path, option: str) -> Path:
    """Return a path that means the same from everywhere: Exim is run in `/`."""
    try:
        return path.absolute()
    except FileNotFoundError:
        text = f"{option}: {path} is relative to a directory that is gone: give a path that begins with /"
        raise Failure(text, exits.IO_ERROR) from None


def _count(counts: dict[str, int], level: str) -> str:
    return f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}"


def _print(finding: Finding) -> None:
    write_line(f"{MARKS[finding.level]} {finding.diagnosis}: {printable(finding.what)}")
    if finding.means:
        write_line(f"        this means: {printable(finding.means)}")
    if finding.do:
        write_line(f"        to do: {printable(finding.do)}")


def _address(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise click.UsageError(f"--smtp: {text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)
