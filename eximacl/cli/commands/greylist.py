"""`eximacl greylist`: what greylisting remembers, in the running daemon or, where none runs, in its state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from eximacl.cli import exits
from eximacl.cli.command import Group, Section
from eximacl.cli.options import Failure, print_json
from eximacl.cli.output import Column, Table, terminal_width, write_line, write_object
from eximacl.cli.sources import find_source, source_failures, source_options
from eximacl.daemon.greylist import REQUESTS, Greylisted, GreylistFilter, Standing, forget_greylisted, greylisted
from eximacl.system.times import local, zone_names

F = TypeVar("F", bound=Callable[..., Any])

COLUMNS = (
    Column[Greylisted]("CLIENT", lambda one: one.client, 14, 40, 0),
    Column[Greylisted]("SENDER", lambda one: one.sender or "all", 14, 50, 1),
    Column[Greylisted]("RECIPIENT", lambda one: one.recipient or "all", 14, 40, 2),
    Column[Greylisted]("STANDS", lambda one: one.standing, 7, 7, 3),
    Column[Greylisted](f"SINCE ({zone_names()})", lambda one: local(one.since), 19, 24, 4),
    Column[Greylisted](f"UNTIL ({zone_names()})", lambda one: local(one.until), 19, 24, 5),
)


def filter_options(function: F) -> F:
    """Add --client, --sender, --recipient and --standing."""
    for option in (
        click.option(
            "--standing",
            "standings",
            multiple=True,
            type=click.Choice(get_args(Standing)),
            help="Only what stands so. Can be given several times.",
        ),
        click.option("--recipient", default="", metavar="ADDRESS", help="Only this recipient, or all at @domain."),
        click.option("--sender", default="", metavar="ADDRESS", help="Only this sender, or all at @domain."),
        click.option("--client", default="", metavar="CLIENT", help="Only this domain, network or address."),
    ):
        function = option(function)
    return function


@click.group(cls=Group, section=Section.ADDRESSES)
def greylist() -> None:
    """Look at what greylisting remembers, and forget some of it.

    \b
    Examples:
      eximacl greylist list --recipient steve@example.org
      eximacl greylist forget --client example.net

    The running daemon is asked. If none runs, the command opens the state itself, unless --socket is given.
    """


@greylist.command("list")
@filter_options
@source_options
def list_command(
    client: str,
    sender: str,
    recipient: str,
    standings: tuple[str, ...],
    as_json: bool,
    config_path: Path,
    socket_path: Path | None,
    state_path: Path | None,
) -> int:
    """List who waits, who has passed, and which clients are known.

    A sender is shown as it is compared, with # for what changes from one message to the next.

    \b
    Examples:
      eximacl greylist list
      eximacl greylist list --client 192.0.2.7 --standing waiting
      eximacl greylist list --json | jq -r 'select(.standing == "known").client'

    In JSON, times are seconds since 1970.

    \b
    Exit status: 0 the list is complete, if empty    69 the daemon does not answer
      74 the state cannot be used                    78 wrong configuration
    """
    with source_failures():
        source = find_source(REQUESTS, config_path, socket_path, state_path)
        found = list(greylisted(source, _wanted(client, sender, recipient, standings)))
    found.sort(key=lambda one: (one.client, one.recipient, one.sender, one.standing))
    if as_json:
        for one in found:
            write_object(_as_dict(one))
    elif found:
        table = Table(COLUMNS, terminal_width(), found)
        for line in (table.head(), *map(table.row, found)):
            write_line(line)
    else:
        click.echo("nothing is remembered", err=True)
    return 0


@greylist.command()
@filter_options
@click.option("--all", "everything", is_flag=True, help="Forget everything.")
@source_options
def forget(
    client: str,
    sender: str,
    recipient: str,
    standings: tuple[str, ...],
    everything: bool,
    as_json: bool,
    config_path: Path,
    socket_path: Path | None,
    state_path: Path | None,
) -> int:
    """Forget what greylisting remembers of clients, senders or recipients.

    The next attempt is then the first. To spare a client from waiting, put it into the list no_retry instead.

    \b
    Examples:
      eximacl greylist forget --client example.net
      eximacl greylist forget --recipient @example.org --standing waiting
      eximacl greylist forget --all

    \b
    Exit status: 0 done                66 nothing like that is remembered
      64 wrong command line            69 the daemon does not answer
      74 the state cannot be used      78 wrong configuration
    """
    narrowed = bool(client or sender or recipient or standings)
    if narrowed == everything:
        raise click.UsageError("say what to forget: --client, --sender, --recipient, --standing, or --all")
    with source_failures():
        source = find_source(REQUESTS, config_path, socket_path, state_path)
        count = forget_greylisted(source, list(greylisted(source, _wanted(client, sender, recipient, standings))))
    if not count:
        raise Failure("nothing like that is remembered", exits.NOT_FOUND)
    if as_json:
        print_json({"forgotten": count})
    else:
        click.echo(f"forgotten: {count}")
    return 0


def _wanted(client: str, sender: str, recipient: str, standings: tuple[str, ...]) -> GreylistFilter:
    return GreylistFilter(client, sender, recipient, standings or get_args(Standing))


def _as_dict(one: Greylisted) -> dict[str, Any]:
    fields = one._asdict()
    del fields["key"]
    return {name: value if value != "" else None for name, value in fields.items()}
