"""`eximacl config`: test, show, write and explain the policy file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from eximacl.cli import exits
from eximacl.cli.command import Group, Section
from eximacl.cli.complete import explained_name
from eximacl.cli.options import Failure, config_option, json_option, load_config, print_json
from eximacl.cli.output import Style, paint, plural, write_line
from eximacl.config import (
    ConfigError,
    Loaded,
    describe,
    explain,
    find_checks,
    sample,
    show,
    show_toml,
    write_sample,
)
from eximacl.config.problems import Problem
from eximacl.daemon.preflight import preflight
from eximacl.protocol.client import DaemonError
from eximacl.protocol.control import read_status


@click.group(cls=Group, section=Section.SETUP)
def config() -> None:
    """Test, show, write and explain the policy file.

    \b
    Examples:
      eximacl config test
      eximacl config explain rdns_tld
    """


@config.command()
@config_option
@json_option
def test(config_path: Path, as_json: bool) -> int:
    """Test the policy file and everything that it names.

    That includes its domain files, all lists, and the archive's directory. Every problem is printed. Where a daemon
    runs another policy than these files hold, the last line says how they come into force.

    \b
    Examples:
      eximacl config test
      eximacl config test --config new.toml --json | jq -r '.problems[].message'

    Exit status: 0 when there is no problem, 1 when there is one.
    """
    problems: tuple[Problem, ...] = ()
    try:
        loaded = preflight(config_path)
    except ConfigError as error:
        problems = error.problems
    waits = not problems and _waits_for_reload(loaded)
    if as_json:
        found = [problem._asdict() for problem in problems]
        print_json({"ok": not problems, "problems": found, "waits_for_reload": waits})
    elif problems:
        click.echo("\n".join(map(str, problems)), err=True)
        click.echo(paint(plural(len(problems), "problem"), Style.BAD, sys.stderr), err=True)
    else:
        counts = f"({plural(len(loaded.overlays), 'domain file')}, {plural(len(loaded.sources), 'list')})"
        write_line(f"{loaded.path}: {paint('OK', Style.GOOD)} {counts}")
        if waits:
            write_line("in force after: eximacl reload")
    return 1 if problems else 0


def _waits_for_reload(loaded: Loaded) -> bool:
    """Whether a daemon runs these files as they were before; False where none can be asked."""
    try:
        found = read_status(loaded.settings.server.socket)
    except DaemonError:
        return False
    return found["config"] == str(loaded.path) and bool(found.get("stale") or found.get("refused"))


@config.command("show")
@config_option
@click.option("--domain", metavar="DOMAIN", help="As they are for recipients at DOMAIN.")
@json_option
def show_command(config_path: Path, domain: str | None, as_json: bool) -> int:
    """Show all options of the policy, defaults included.

    Secrets are hidden.

    \b
    Examples:
      eximacl config show
      eximacl config show --domain example.org
    """
    try:
        shown = show(load_config(config_path), domain)
    except LookupError as error:
        raise Failure(str(error), exits.NOT_FOUND) from None
    if as_json:
        print_json(shown)
    else:
        click.echo(show_toml(shown), nl=False)
    return 0


@config.command("sample")
@click.option(
    "--write",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write eximacl.toml and its lists into DIR instead of printing it.",
)
def sample_command(directory: Path | None) -> int:
    """Print a sample policy file.

    It has every option, with its default and its help.

    \b
    Examples:
      eximacl config sample | less
      eximacl config sample --write /etc/eximacl
    """
    if directory is None:
        click.echo(sample(find_checks().values()), nl=False)
        return 0
    try:
        written = write_sample(directory, find_checks().values())
    except FileExistsError:
        raise Failure(f"{directory}: there is a policy file already; it stays as it is", exits.IO_ERROR) from None
    except OSError as error:
        raise Failure(f"{directory}: {error.strerror}", exits.IO_ERROR) from None
    for path in written:
        click.echo(f"wrote {path}")
    return 0


@config.command("explain")
@click.argument("name", required=False, shell_complete=explained_name)
@config_option
@json_option
def explain_command(name: str | None, config_path: Path, as_json: bool) -> int:
    """Explain a check, a table or an option.

    Without NAME, list the checks.

    \b
    Examples:
      eximacl config explain rdns_tld
      eximacl config explain disposable.largest_count
    """
    checks = find_checks(config_path)
    if name is None:
        found: dict[str, Any] = {check.name: check.summary for check in checks.values()}
        if as_json:
            print_json(found)
        else:
            click.echo("\n".join(f"{check:<20} {summary}" for check, summary in found.items()))
        return 0
    try:
        if as_json:
            print_json(describe(name, checks))
        else:
            click.echo(explain(name, checks))
    except LookupError as error:
        raise Failure(str(error.args[0]), exits.NOT_FOUND) from None
    return 0
