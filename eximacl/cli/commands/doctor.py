"""`eximacl doctor`: look at everything, and say what is wrong and what to do."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.commands.exim import snippets_option
from eximacl.cli.errors import explained
from eximacl.cli.options import Failure, config_option, json_option, print_json, socket_option
from eximacl.cli.output import Style, paint, plural, wrapped, write_line
from eximacl.doctor import Case, Finding, examine
from eximacl.exim import Exim, find_shipped
from eximacl.system import paths
from eximacl.system.text import printable

# Of equal length, so that what follows is aligned.
MARKS = {
    "ok": ("ok     ", Style.GOOD),
    "warning": ("WARNING", Style.WARNING),
    "problem": ("PROBLEM", Style.BAD),
}
INDENT = 8
PROBLEMS = 1


@click.command(cls=Command, section=Section.SETUP)
@click.option(
    "--smtp",
    metavar="HOST:PORT",
    default="127.0.0.1:25",
    show_default=True,
    help="Where Exim listens. '' skips the session with it.",
)
@click.option("--pid-file", type=click.Path(path_type=Path), help="Exim's pid file.  [default: as Exim is set]")
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
    with explained():
        shipped = find_shipped(snippets)
    case = Case(
        Exim(exim_path if len(exim_path.parts) == 1 else _absolute(exim_path, "--exim")),
        _absolute(config_path, "--config"),
        shipped.absolute(),
        time.time(),
        _absolute(socket_path, "--socket") if socket_path else None,
        _address(smtp),
        _absolute(pid_file, "--pid-file") if pid_file else None,
    )
    counts = _print_findings(examine(case), quiet, as_json)
    if not as_json and not (quiet and counts.keys() <= {"ok"}):
        found = f"{counts['ok']} ok, {plural(counts['warning'], 'warning')}, {plural(counts['problem'], 'problem')}"
        worst = next((level for level in ("problem", "warning") if counts[level]), "ok")
        write_line("\n" + paint(found, MARKS[worst][1]))
    return PROBLEMS if counts["problem"] else 0


def _print_findings(findings: Iterable[Finding], quiet: bool, as_json: bool) -> Counter[str]:
    """Print each as it comes; return how many there were of each level."""
    counts: Counter[str] = Counter()
    for finding in findings:
        counts[finding.level] += 1
        if quiet and finding.level == "ok":
            continue
        if as_json:
            print_json(asdict(finding))
        else:
            _print(finding)
    return counts


def _absolute(path: Path, option: str) -> Path:
    """Return a path that means the same from everywhere: Exim is run in `/`."""
    try:
        return path.absolute()
    except FileNotFoundError:
        text = f"{option}: {path} is relative to a directory that is gone: give a path that begins with /"
        raise Failure(text, exits.IO_ERROR) from None


def _print(finding: Finding) -> None:
    mark, style = MARKS[finding.level]
    lines = [*wrapped(f"{finding.diagnosis}: {printable(finding.what)}", f"{paint(mark, style)} ", INDENT)]
    for label, text in (("this means: ", finding.means), ("to do: ", finding.do)):
        if text:
            lines += wrapped(label + printable(text), " " * INDENT, INDENT)
    for line in lines:
        write_line(line)


def _address(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise click.UsageError(f"--smtp: {text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)
