"""`eximacl mint`: make a disposable address, as the policy of its domain will read it."""

from __future__ import annotations

import re
import time
from datetime import date
from pathlib import Path

import click

from eximacl.cli.command import Command, Section
from eximacl.cli.errors import explained
from eximacl.cli.options import Failure, load_config, print_json
from eximacl.cli.sources import find_source, note_option, source_failures, source_options
from eximacl.config import Loaded
from eximacl.daemon.disposable import REQUESTS, named, revise_address
from eximacl.daemon.mint import mint, shortfall
from eximacl.policy.places import KnownAddress
from eximacl.system.text import printable


def _day(_context: click.Context, _parameter: click.Parameter, text: str | None) -> date | None:
    """Return the day that --until names. Raises UsageError."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", text)
    if match is None:
        raise click.UsageError(f"--until: {text!r} is not a day; write it as 2026-12-31")
    try:
        return date(*map(int, match.groups()))
    except ValueError:
        raise click.UsageError(f"--until: there is no such day: {text}") from None


@click.command("mint", cls=Command, section=Section.ADDRESSES)
@click.argument("name")
@click.option("--count", type=int, help="Valid for N messages.", metavar="N")
@click.option("--until", callback=_day, help="Valid until this day begins.", metavar="YYYY-MM-DD")
@click.option("--domain", metavar="DOMAIN", help="The domain.  [default: NAME's, else the only one of the policy]")
@note_option
@source_options
def mint_command(
    name: str,
    count: int | None,
    until: date | None,
    domain: str | None,
    note: str | None,
    as_json: bool,
    config_path: Path,
    socket_path: Path | None,
    state_path: Path | None,
) -> int:
    """Make a disposable address.

    NAME is a localpart or an address. The new address is signed if the policy says so. It is noted in the state, so
    that `eximacl disposable list` has it before its first message; that needs the rights of root or the daemon's user.

    The same name with the same count or day always makes the same address. If that has been in use, a warning says how
    many messages have come. For another one, add a tag to the name.

    \b
    Examples:
      eximacl mint steve --count 3
      eximacl mint steve@example.org --until 2026-12-31
      eximacl mint steve+shop --count 3 --note "shop.example.net"
    """
    if (count is None) == (until is None):
        raise click.UsageError("give either --count N or --until YYYY-MM-DD")
    loaded = load_config(config_path)
    with explained():
        minted = mint(loaded, name, time.time(), count=count, until=until, domain=domain or "")
    known, unknown = _note(loaded, minted.address, note, config_path, socket_path, state_path)
    worn = shortfall(loaded, known) if known else ""
    if as_json:
        used = known.used if known else None
        print_json({"address": minted.address, "used": used, "warning": minted.refused or worn, "not_noted": unknown})
        return 0
    click.echo(minted.address)
    if unknown:
        click.echo(f"Note: the state does not know it until its first message: {printable(unknown)}", err=True)
    if minted.refused:
        click.echo(f"Warning: the policy refuses mail to it now: {printable(minted.refused)}", err=True)
    if worn:
        click.echo(f"Warning: {printable(worn)}", err=True)
    return 0


def _note(
    loaded: Loaded,
    address: str,
    note: str | None,
    config_path: Path,
    socket_path: Path | None,
    state_path: Path | None,
) -> tuple[KnownAddress | None, str]:
    """Have the state know an address; return it as it is then, or why it does not know it.

    Raises Failure where a note would be lost.
    """
    try:
        with source_failures():
            source = find_source(REQUESTS, config_path, socket_path, state_path)
            return revise_address(source, named(loaded, address), note=note), ""
    except Failure as error:
        if note is not None:
            raise
        return None, error.message
