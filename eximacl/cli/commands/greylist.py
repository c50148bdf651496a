"""`eximacl greylist`: what greylisting remembers, in the running daemon or, where none runs, in its state."""

from __future__ import annotations

import contextlib
import ipaddress
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
from eximacl.mail.address import without_brackets
from eximacl.mail.hosts import dns_name, literal_address
from eximacl.system.text import printable
from eximacl.system.times import local, zone_names

F = TypeVar("F", bound=Callable[..., Any])


def _sender(one: Greylisted) -> str:
    return one.sender or ("all" if one.standing == "known" else "<>")


COLUMNS = (
    Column[Greylisted]("CLIENT", lambda one: one.client, 14, 40, 0),
    Column[Greylisted]("SENDER", _sender, 14, 50, 1),
    Column[Greylisted]("RECIPIENT", lambda one: one.recipient or "all", 14, 40, 2),
    Column[Greylisted]("STANDS", lambda one: one.standing, 7, 7, 3),
    Column[Greylisted](f"SINCE ({zone_names()})", lambda one: local(one.since), 19, 24, 4),
    Column[Greylisted](f"UNTIL ({zone_names()})", lambda one: local(one.until), 19, 24, 5),
)


def _checked_address(_context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Return an address or @domain as it was given; for --sender also the null sender. Raises UsageError."""
    if text is None:
        return None
    address = without_brackets(text)
    if not address and parameter.name == "sender":
        return ""
    _, at, domain = address.rpartition("@")
    if not at or (dns_name(domain) is None and literal_address(domain) is None):
        raise click.UsageError(
            f"--{parameter.name}: {printable(text)} is not an address; "
            "give one such as steve@example.org, or @example.org for all there"
        )
    return text


def _checked_client(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str:
    """Return a client as it is listed: a domain, or a network with its first address. Raises UsageError."""
    if text is None:
        return ""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_network(text, strict=False)) if "/" in text else str(ipaddress.ip_address(text))
    name = dns_name(text)
    if name is None or "." not in name:
        raise click.UsageError(
            f"--client: {printable(text)} is not a client; give a domain, an address or a network, "
            "such as example.net, 192.0.2.7 or 192.0.2.0/24"
        )
    return name


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
        click.option(
            "--recipient",
            "--rcpt",
            "recipient",
            metavar="ADDRESS",
            callback=_checked_address,
            help="Only this recipient, or all at @domain.",
        ),
        click.option(
            "--sender",
            "--from",
            "sender",
            metavar="ADDRESS",
            callback=_checked_address,
            help="Only this sender, or all at @domain; '<>' is the null sender of a bounce.",
        ),
        click.option(
            "--client", metavar="CLIENT", callback=_checked_client, help="Only this domain, network or address."
        ),
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
    sender: str | None,
    recipient: str | None,
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

    In JSON, times are seconds since 1970. The sender is "" for a bounce, and null where all senders are meant.

    \b
    Exit status: 0 the list is complete, if empty    64 wrong command line
      69 the daemon does not answer                  74 the state cannot be used
      78 wrong configuration
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
    sender: str | None,
    recipient: str | None,
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
    narrowed = bool(client or sender is not None or recipient or standings)
    if narrowed and everything:
        raise click.UsageError("--all goes alone: leave it out, or the options that say what to forget")
    if not narrowed and not everything:
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


def _wanted(client: str, sender: str | None, recipient: str | None, standings: tuple[str, ...]) -> GreylistFilter:
    return GreylistFilter(client, sender, recipient or "", standings or get_args(Standing))


def _as_dict(one: Greylisted) -> dict[str, Any]:
    fields = one._asdict()
    del fields["key"]
    if one.standing == "known":
        fields |= {"sender": None, "recipient": None}
    return fields
