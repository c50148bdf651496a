"""`eximacl mint`: make a disposable address, as the policy of its domain will read it."""

from __future__ import annotations

import re
import time
from datetime import date
from pathlib import Path

import click

from eximacl.cli.command import Command, Section
from eximacl.cli.errors import explained
from eximacl.cli.options import config_option, json_option, load_config, print_json
from eximacl.daemon.mint import mint
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
@config_option
@json_option
def mint_command(
    name: str, count: int | None, until: date | None, domain: str | None, config_path: Path, as_json: bool
) -> int:
    """Make a disposable address.

    NAME is a localpart or an address. The new address is signed if the policy says so.

    \b
    Examples:
      eximacl mint steve --count 3
      eximacl mint steve@example.org --until 2026-12-31
    """
    if (count is None) == (until is None):
        raise click.UsageError("give either --count N or --until YYYY-MM-DD")
    loaded = load_config(config_path)
    with explained():
        minted = mint(loaded, name, time.time(), count=count, until=until, domain=domain or "")
    if as_json:
        print_json({"address": minted.address, "warning": minted.refused})
        return 0
    click.echo(minted.address)
    if minted.refused:
        click.echo(f"Warning: the policy refuses mail to it now: {printable(minted.refused)}", err=True)
    return 0
