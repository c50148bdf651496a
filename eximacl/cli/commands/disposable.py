"""`eximacl disposable`: what became of counted and dated addresses; more places, a new start, an end."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click

from eximacl.cli import exits
from eximacl.cli.command import Group, Section
from eximacl.cli.options import Failure, load_config, print_json
from eximacl.cli.output import Column, Table, terminal_width, write_line, write_object
from eximacl.cli.sources import find_source, note_option, source_failures, source_options
from eximacl.daemon.disposable import (
    KINDS,
    MORE_MAX,
    REQUESTS,
    NamedAddress,
    NotDisposable,
    address_of,
    addresses_of,
    find_address,
    named,
    revise_address,
)
from eximacl.daemon.state_requests import Source
from eximacl.mail.address import parse_quoted, without_brackets
from eximacl.policy.places import KnownAddress
from eximacl.system.text import printable
from eximacl.system.times import local, zone_names, zoned

EXITS = """

\b
Exit status: 0 done
  64 wrong command line    65 not a disposable address    66 {not_found}
  69 the daemon does not answer    74 the state cannot be used    78 wrong configuration
"""
NOT_KNOWN = "the address or its domain is not known"
NOT_OURS = "its domain is not in policy.domains"


def _taken(known: KnownAddress) -> str:
    """Return how many messages have come; those of a dated address are counted only under `exclusive`."""
    if known.day:
        return str(known.used) if known.used else "-"
    return f"{known.used} of {known.limit + known.extra}"


def _standing(known: KnownAddress) -> str:
    if known.ended:
        return "ended"
    if known.day:
        return f"until {known.day}"
    return "used up" if known.used >= known.limit + known.extra else "open"


def _last(known: KnownAddress) -> str:
    return local(known.last) if known.last else "none yet"


COLUMNS = (
    Column[KnownAddress]("ADDRESS", lambda known: address_of(known.key), 20, 60, 0, keep=True),
    Column[KnownAddress]("USED", _taken, 6, 12, 1),
    Column[KnownAddress]("STANDS", _standing, 7, 16, 2),
    Column[KnownAddress](f"LAST MESSAGE ({zone_names()})", _last, 19, 24, 3),
    Column[KnownAddress]("FROM", lambda known: known.last_sender, 10, 40, 4),
    Column[KnownAddress]("NOTE", lambda known: known.note, 8, 60, 5),
)


@click.group(cls=Group, section=Section.ADDRESSES)
def disposable() -> None:
    """Look after counted and dated addresses that were given out.

    \b
    Examples:
      eximacl disposable list --owner steve@example.org
      eximacl disposable add steve.3.count@example.org --places 5

    The running daemon is asked. If none runs, the command opens the state itself, unless --socket is given.
    `eximacl mint` makes a new address.
    """


@disposable.command("list")
@click.option("--owner", metavar="ADDRESS", help="Only the addresses of this owner, such as steve@example.org.")
@click.option("--domain", metavar="DOMAIN", help="Only the addresses at this domain.")
@source_options
def list_command(
    owner: str | None,
    domain: str | None,
    as_json: bool,
    config_path: Path,
    socket_path: Path | None,
    state_path: Path | None,
) -> int:
    """List the addresses that got mail, were minted or changed.

    A dated address that nobody has minted or changed is listed only where `exclusive` is set, since its messages are
    not counted.

    \b
    Examples:
      eximacl disposable list
      eximacl disposable list --owner steve@example.org
      eximacl disposable list --json | jq -r 'select(.standing == "used up").address'

    In JSON, times are seconds since 1970, or null.

    \b
    Exit status: 0 the list is complete, if empty    69 the daemon does not answer
      74 the state cannot be used                    78 wrong configuration
    """
    with source_failures():
        source = find_source(REQUESTS, config_path, socket_path, state_path)
        found = list(addresses_of(source, _canonical(owner), domain or ""))
    found.sort(key=lambda known: (address_of(known.key).rpartition("@")[2], known.owner, known.key))
    if as_json:
        for known in found:
            write_object(_as_dict(known))
    elif found:
        table = Table(COLUMNS, terminal_width(), found)
        for line in (table.head(), *map(table.row, found)):
            write_line(line)
    else:
        click.echo("no address is known", err=True)
    return 0


def _canonical(owner: str | None) -> str:
    """Return an owner's address as the state has it. Raises UsageError."""
    if owner is None:
        return ""
    localpart, domain = parse_quoted(without_brackets(owner))
    if not (localpart and domain):
        raise click.UsageError(f"--owner: {printable(owner)} is not an address, such as steve@example.org")
    return f"{localpart}@{domain}".lower()


def _completed(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the known addresses that begin like this, for the shell; nothing when they cannot be known."""
    given = context.params
    try:
        with source_failures():
            source = find_source(REQUESTS, given["config_path"], given.get("socket_path"), given.get("state_path"))
            found = [address_of(known.key) for known in addresses_of(source)]
    except Failure:
        return []
    return [address for address in found if address.startswith(incomplete.lower()) and address.isprintable()]


address_argument = click.argument("address", shell_complete=_completed)


@disposable.command()
@address_argument
@source_options
def show(address: str, as_json: bool, config_path: Path, socket_path: Path | None, state_path: Path | None) -> int:
    """Show all that is known of an address.

    \b
    Examples:
      eximacl disposable show steve.3.count@example.org
    """
    with source_failures():
        source = find_source(REQUESTS, config_path, socket_path, state_path)
        known = find_address(source, _find(config_path, source, address).key)
    if known is None:
        raise _unknown(address)
    if as_json:
        print_json(_as_dict(known))
        return 0
    for name, value in _lines(known):
        write_line(f"{name:<15}{printable(value)}")
    return 0


@disposable.command()
@address_argument
@click.option("--places", type=click.IntRange(1, MORE_MAX), metavar="N", help="Take N more messages.")
@note_option
@source_options
def add(
    address: str,
    places: int | None,
    note: str | None,
    as_json: bool,
    config_path: Path,
    socket_path: Path | None,
    state_path: Path | None,
) -> int:
    """Add messages to a counted address, or a note to any.

    An address that has ended stays ended; `eximacl disposable reset` opens it again. Where nothing is known of the
    address, a note says so, since it may be misspelt.

    \b
    Examples:
      eximacl disposable add steve.3.count@example.org --places 5
      eximacl disposable add steve.date.31-12-2026@example.org --note "the fair"
    """
    if places is None and note is None:
        raise click.UsageError("give --places N, --note TEXT, or both")
    with source_failures():
        source = find_source(REQUESTS, config_path, socket_path, state_path)
        found = _find(config_path, source, address)
        if places and found.day:
            raise click.UsageError("--places: a dated address takes any number of messages until its day")
        is_new = find_address(source, found.key) is None
        known = revise_address(source, found, more=places or 0, note=note)
    ended = f"it has ended and takes no mail; to open it: eximacl disposable reset {found.address}"
    what = ended if known.ended else "noted" if known.day else f"{_taken(known)} used"
    return _done(known, what, as_json, is_new)


@disposable.command()
@address_argument
@source_options
def reset(address: str, as_json: bool, config_path: Path, socket_path: Path | None, state_path: Path | None) -> int:
    """Start an address again: no message is counted, no sender known.

    This also opens an address that has ended. Places that were added stay.

    \b
    Examples:
      eximacl disposable reset steve.3.count@example.org
    """
    with source_failures():
        source = find_source(REQUESTS, config_path, socket_path, state_path)
        found = _find(config_path, source, address)
        if find_address(source, found.key) is None:
            raise _unknown(address)
        known = revise_address(source, found, reset=True)
    return _done(known, "open again" if known.day else f"{_taken(known)} used", as_json)


@disposable.command()
@address_argument
@note_option
@source_options
def end(
    address: str,
    note: str | None,
    as_json: bool,
    config_path: Path,
    socket_path: Path | None,
    state_path: Path | None,
) -> int:
    """End an address: from now on its mail is refused.

    It may be counted or dated, and need not have got any mail yet; where it has not, a note says so, since it may be
    misspelt.

    \b
    Examples:
      eximacl disposable end steve.3.count@example.org
      eximacl disposable end steve.date.31-12-2026@example.org --note "sold to others"
    """
    with source_failures():
        source = find_source(REQUESTS, config_path, socket_path, state_path)
        found = _find(config_path, source, address)
        is_new = find_address(source, found.key) is None
        known = revise_address(source, found, end=True, note=note)
    return _done(known, "takes no more mail", as_json, is_new)


for _command, _not_found in ((show, NOT_KNOWN), (add, NOT_OURS), (reset, NOT_KNOWN), (end, NOT_OURS)):
    assert _command.help is not None
    # Since Python 3.13 a docstring comes without its indentation.
    _command.help = inspect.cleandoc(_command.help) + EXITS.format(not_found=_not_found)


def _find(config_path: Path, source: Source, text: str) -> NamedAddress:
    """Return which address is meant: as the policy reads it, or as the list shows it. Raises DisposableError."""
    try:
        return named(load_config(config_path), text)
    except NotDisposable:
        # The policy may have changed its separator or keywords since.
        address = "@".join(parse_quoted(without_brackets(text))).lower()
        for kind in KINDS:
            known = find_address(source, f"{kind}{address}")
            if known is not None:
                return NamedAddress(known.key, known.owner, known.limit, known.day)
        raise


def _unknown(address: str) -> Failure:
    return Failure(f"{printable(address)} is not known; see `eximacl disposable list`", exits.NOT_FOUND)


def _done(known: KnownAddress, what: str, as_json: bool, is_new: bool = False) -> int:
    if is_new:
        click.echo("Note: no message has come to this address and it was not minted; is it spelt right?", err=True)
    if as_json:
        print_json(_as_dict(known))
    else:
        click.echo(f"{printable(address_of(known.key))}: {what}")
    return 0


def _lines(known: KnownAddress) -> list[tuple[str, str]]:
    lines = [
        ("Address", address_of(known.key)),
        ("Owner", known.owner or "not known"),
        ("Stands", f"ended at {zoned(known.ended)}" if known.ended else _standing(known)),
        ("Used", _taken(known)),
        ("Coming in", str(known.reserved)),
        ("Known since", zoned(known.since)),
        ("First message", f"{zoned(known.first)} from {known.first_sender or '<>'}" if known.first else "none yet"),
        ("Last message", f"{zoned(known.last)} from {known.last_sender or '<>'}" if known.last else "none yet"),
    ]
    return [*lines, ("Note", known.note)] if known.note else lines


def _as_dict(known: KnownAddress) -> dict[str, Any]:
    localpart, _, domain = address_of(known.key).rpartition("@")
    return {
        "address": f"{localpart}@{domain}",
        "owner": known.owner,
        "standing": _standing(known),
        "limit": None if known.day else known.limit + known.extra,
        "used": known.used,
        "reserved": known.reserved,
        "until": known.day or None,
        "since": known.since,
        "first": known.first or None,
        "last": known.last or None,
        "first_sender": known.first_sender,
        "last_sender": known.last_sender,
        "ended": known.ended or None,
        "note": known.note,
    }
