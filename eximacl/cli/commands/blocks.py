"""`eximacl blocks`: list, add and end what is blocked, in the running daemon or, where none runs, in its state."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from eximacl.checks._block_keys import Scope
from eximacl.cli import exits
from eximacl.cli.command import Group, Section
from eximacl.cli.options import Failure, policy_domains, print_json
from eximacl.cli.output import Column, Table, terminal_width, write_line, write_object
from eximacl.cli.sources import find_source, source_failures, source_options
from eximacl.daemon.blocks import (
    REQUESTS,
    add_block,
    blocks_of,
    end_block,
    key_of,
    parse_duration,
    split_key,
)
from eximacl.policy.state import Block
from eximacl.system.text import printable
from eximacl.system.times import local, zone_names, zoned
from eximacl.system.users import current_user

F = TypeVar("F", bound=Callable[..., Any])


def _time(seconds: float, shown: Callable[[float], str] = local) -> str:
    if seconds == math.inf:
        return "for ever"
    try:
        return shown(seconds)
    except (ValueError, OverflowError, OSError):  # what the state says is in no calendar
        return "?"


COLUMNS = (
    Column[Block]("RECIPIENT", lambda block: split_key(block.key)[1], 14, 50, 0, keep=True),
    Column[Block]("MAIL", lambda block: split_key(block.key)[0], 7, 7, 2),
    Column[Block](f"SINCE ({zone_names()})", lambda block: _time(block.since), 19, 19, 3),
    Column[Block](f"UNTIL ({zone_names()})", lambda block: _time(block.until), 19, 19, 1),
    Column[Block]("WHY", lambda block: block.why, 8, 80, 4),
)


def all_option(function: F) -> F:
    """Add --all."""
    return click.option("--all", "everything", is_flag=True, help="All mail, not only bounces.")(function)


@click.group(cls=Group, section=Section.ADDRESSES)
def blocks() -> None:
    """List, add and end blocks of flooded recipients.

    \b
    Examples:
      eximacl blocks list
      eximacl blocks add steve@example.org --for 2h

    The running daemon is asked. If none runs, the command opens the state itself, unless --socket is given.
    """


@blocks.command("list")
@source_options
def list_command(as_json: bool, config_path: Path, socket_path: Path | None, state_path: Path | None) -> int:
    """List current blocks, sorted by address.

    \b
    Examples:
      eximacl blocks list
      eximacl blocks list --json | jq -r .recipient

    In JSON, times are seconds since 1970, and `until` is null for a block for ever.

    \b
    Exit status: 0 the list is complete, if empty    69 the daemon does not answer
      74 the state cannot be used                    78 wrong configuration
    """
    with source_failures():
        found = list(blocks_of(find_source(REQUESTS, config_path, socket_path, state_path)))
    found.sort(key=lambda block: split_key(block.key)[::-1])
    if as_json:
        for block in found:
            write_object(_as_dict(block))
    elif found:
        table = Table(COLUMNS, terminal_width(), found)
        for line in (table.head(), *map(table.row, found)):
            write_line(line)
    else:
        click.echo("nothing is blocked", err=True)
    return 0


@blocks.command()
@click.argument("address")
@click.option("--for", "span", required=True, metavar="SPAN", help="How long: 90s, 30m, 2h, 7d, 4w, or ever.")
@all_option
@click.option("--why", metavar="TEXT", help="The reason, shown in the list.  [default: who added it]")
@source_options
def add(
    address: str,
    span: str,
    everything: bool,
    why: str | None,
    as_json: bool,
    config_path: Path,
    socket_path: Path | None,
    state_path: Path | None,
) -> int:
    """Block bounces to an address, or all mail to it.

    A block that is there already can become longer, but never shorter.

    The check blocked_recipient refuses the mail, from the next query on.

    \b
    Examples:
      eximacl blocks add steve@example.org --for 2h
      eximacl blocks add steve@example.org --for ever --all --why "has left"

    \b
    Exit status: 0 it is blocked
      64 the address or the span is wrong    69 the daemon does not answer
      74 the state cannot be used            78 wrong configuration
    """
    key = _key(address, everything, new=True)
    try:
        seconds = parse_duration(span)
    except ValueError as error:
        raise click.UsageError(f"--for: {error}") from None
    with source_failures():
        source = find_source(REQUESTS, config_path, socket_path, state_path)
        block, before = add_block(source, key, seconds, why or f"by {current_user()}, by hand")
    _note_foreign(key.rpartition("@")[2], config_path)
    if as_json:
        print_json(_as_dict(block))
    else:
        still = "" if before is None else f", since {_time(before.since, zoned)} already ({before.why})"
        until = " for ever" if block.until == math.inf else f" until {_time(block.until, zoned)}"
        click.echo(printable(f"{_what(key)} blocked{until}{still}"))
    return 0


def _completed(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return what is blocked and begins like this, for the shell; nothing when it cannot be known."""
    given = context.params
    wanted = _scope(bool(given.get("everything")))
    try:
        with source_failures():
            source = find_source(REQUESTS, given["config_path"], given.get("socket_path"), given.get("state_path"))
            keys = [split_key(block.key) for block in blocks_of(source)]
    except Failure:
        return []
    return [who for scope, who in keys if scope == wanted and who.startswith(incomplete) and who.isprintable()]


@blocks.command()
@click.argument("address", shell_complete=_completed)
@all_option
@source_options
def remove(
    address: str,
    everything: bool,
    as_json: bool,
    config_path: Path,
    socket_path: Path | None,
    state_path: Path | None,
) -> int:
    """End the block of bounces to an address, or of all mail to it.

    Its bounces are counted from zero again, so a storm that goes on blocks it again.

    \b
    Examples:
      eximacl blocks remove steve@example.org
      eximacl blocks remove steve@example.org --all

    \b
    Exit status: 0 it is not blocked any longer
      64 the address is wrong        66 it was not blocked    69 the daemon does not answer
      74 the state cannot be used    78 wrong configuration
    """
    key = _key(address, everything)
    with source_failures():
        block = end_block(find_source(REQUESTS, config_path, socket_path, state_path), key)
    if block is None:
        raise Failure(f"{printable(_what(key))} not blocked; see `eximacl blocks list`", exits.NOT_FOUND)
    if as_json:
        print_json(_as_dict(block))
    else:
        click.echo(printable(f"{_what(key)} not blocked any longer"))
    return 0


def _key(text: str, everything: bool, *, new: bool = False) -> str:
    try:
        return key_of(text, _scope(everything), new=new)
    except ValueError as error:
        raise click.UsageError(f"{printable(text)}: {error}") from None


def _note_foreign(domain: str, config_path: Path) -> None:
    """Say so where mail to a domain is not judged. Where that cannot be known, nothing is said."""
    with contextlib.suppress(ValueError):
        if domain not in policy_domains(config_path):
            click.echo(f"Note: {printable(domain)} is not in policy.domains, so its mail is not judged", err=True)


def _scope(everything: bool) -> Scope:
    return "all" if everything else "bounces"


def _what(key: str) -> str:
    scope, recipient = split_key(key)
    return f"mail to {recipient} is" if scope == "all" else f"bounces to {recipient} are"


def _as_dict(block: Block) -> dict[str, Any]:
    scope, recipient = split_key(block.key)
    until = None if block.until == math.inf else block.until
    return {"recipient": recipient, "mail": scope, "since": block.since, "until": until, "why": block.why}
