"""`eximacl config`: test, show, write and explain the policy file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
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
from eximacl.config.list_trial import UnknownList, try_list
from eximacl.config.losses import entries
from eximacl.config.peek import PeekError, read_setting
from eximacl.config.problems import Problem, shown_path
from eximacl.daemon.preflight import preflight
from eximacl.doctor.access import Who, unreadable
from eximacl.doctor.unit import properties, unit_user
from eximacl.protocol.client import DaemonError
from eximacl.protocol.control import Status, read_status
from eximacl.system.text import printable


@click.group(cls=Group, section=Section.SETUP)
def config() -> None:
    """Test, show, write and explain the policy file.

    \b
    Examples:
      eximacl config test
      eximacl config explain rdns_tld
    """


@config.command()
@click.argument("list_path", required=False, metavar="[LIST]", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "instead_of",
    default="",
    metavar="OPTION",
    help="Test LIST for this option, such as checks.valid_recipient.recipients, or instead of this list, by its path.",
)
@click.option("--accept", is_flag=True, help="LIST, or each list of the policy, may have lost most of its entries.")
@config_option
@json_option
def test(list_path: Path | None, instead_of: str, accept: bool, config_path: Path, as_json: bool) -> int:
    """Test the policy file and everything that it names, or LIST alone.

    That includes its domain files, all lists, and the archive's directory. Every problem is printed. Where a daemon
    runs another policy than these files hold, the last line says how they come into force, and a list that it would
    not take, since it has lost most of the entries in force, is a problem. For root, what the daemon's user may not
    read is a problem, too.

    LIST is a file or directory, and the policy names it, or --as says what it is for. So a job that exports a list can
    test it before it moves it into place.

    \b
    Examples:
      eximacl config test
      eximacl config test --config new.toml --json | jq -r '.problems[].message'
      eximacl config test /etc/eximacl/lists/valid
      eximacl config test valid.new --as checks.valid_recipient.recipients && mv valid.new valid

    \b
    Exit status: 0 when there is no problem, 1 when there is one
      64 what kind of list LIST holds is not known
    """
    if list_path is None:
        if instead_of:
            raise click.UsageError("--as is for a list: name its file")
        return _test_policy(config_path, accept, as_json)
    if list_path.suffix == ".toml":
        raise click.UsageError(f"{list_path} is not a list; name the policy file with --config")
    return _test_list(list_path, instead_of, accept, config_path, as_json)


def _test_policy(config_path: Path, accept: bool, as_json: bool) -> int:
    problems: tuple[Problem, ...] = ()
    notes: list[str] = []
    waits = False
    try:
        loaded = preflight(config_path)
    except ConfigError as error:
        problems = error.problems
    else:
        status = _running(loaded.settings.server.socket, loaded.path)
        waits = status is not None and bool(status.get("stale") or status.get("refused"))
        losses = {} if accept else dict(loaded.sources.losses(_in_force(status)))
        refused = (Problem(loaded.path.name, "", text) for text, is_refused in losses.items() if is_refused)
        problems = (*_closed(loaded, status), *refused)
        notes = [*map(str, loaded.notes()), *(text for text, is_refused in losses.items() if not is_refused)]
    if as_json:
        found = [problem._asdict() for problem in problems]
        print_json({"ok": not problems, "problems": found, "notes": notes, "waits_for_reload": waits})
    elif problems:
        _print_problems(list(map(str, problems)))
    else:
        counts = f"({plural(len(loaded.overlays), 'domain file')}, {plural(len(loaded.sources), 'list')})"
        write_line(f"{loaded.path}: {paint('OK', Style.GOOD)} {counts}")
        for note in notes:
            write_line(note)
        if waits:
            write_line("in force after: eximacl reload")
    return 1 if problems else 0


def _test_list(path: Path, instead_of: str, accept: bool, config_path: Path, as_json: bool) -> int:
    try:
        in_force = _in_force(_running(_socket(config_path), config_path.absolute()))
        tested = try_list(path, instead_of, config_path, accept=accept, in_force=in_force)
    except UnknownList as error:
        raise Failure(str(error), exits.USAGE) from None
    problems = list(map(printable, tested.problems))
    if as_json:
        print_json({"ok": not problems, **tested._asdict()})
    elif problems:
        _print_problems(problems)
    else:
        now = "" if tested.before is None else f"; {tested.before:,} now"
        write_line(f"{path}: {paint('OK', Style.GOOD)} ({tested.kind}, {entries(tested.entries)}{now})")
        for note in tested.notes:
            write_line(printable(note))
    return 1 if problems else 0


def _print_problems(lines: list[str]) -> None:
    click.echo("\n".join(lines), err=True)
    click.echo(paint(plural(len(lines), "problem"), Style.BAD, sys.stderr), err=True)


def _running(socket: Path | None, config: Path) -> Status | None:
    """Return the status of the daemon that runs these files, whether as they are or as they were; None without one."""
    try:
        found = read_status(socket) if socket else None
    except DaemonError:
        return None
    return found if found and found["config"] == str(config) else None


def _socket(config_path: Path) -> Path | None:
    """Return the daemon's socket; None where the policy is too wrong to say which."""
    try:
        socket: Path | None = read_setting(config_path, "server", "socket")
    except PeekError:
        return None
    return socket


def _in_force(status: Status | None) -> Mapping[str, int]:
    """Return how many entries the daemon has of each list, by path; nothing without a daemon."""
    return status.get("lists", {}) if status else {}


def _closed(loaded: Loaded, status: Status | None) -> Iterator[Problem]:
    """Yield what the daemon may not read, as far as root can know: its user's groups, or those that it runs with."""
    if os.geteuid() != 0:
        return
    who = Who.of_process(Path("/proc", str(status["pid"])), "eximacl") if status else unit_user(properties())
    for path, why in unreadable(who, loaded.files()) if who else ():
        yield Problem(shown_path(path, loaded.path.parent), "", f"the daemon may not read it: {why}")


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
