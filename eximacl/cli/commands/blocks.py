"""`eximacl blocks`: list, add and end what is blocked. Rule: it needs no running daemon (see `cli.statefile`)."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from eximacl.checks._block_keys import Scope, block_key, storm_key
from eximacl.cli import exits
from eximacl.cli.command import Group, Section
from eximacl.cli.options import Failure, config_option, json_option, policy_domains, print_json
from eximacl.cli.output import Column, Table, terminal_width, write_line, write_object
from eximacl.cli.state_file import open_statefile, state_option
from eximacl.mail.address import Address, is_mailbox, parse_quoted, quoted, without_brackets
from eximacl.policy.state import Block
from eximacl.system.text import printable
from eximacl.system.times import local, parse_span, zone_names
from eximacl.system.users import current_user

F = TypeVar("F", bound=Callable[..., Any])

EVER = "ever"
# Longer is for ever, and has no date in the calendar.
SPAN_MAX_SECONDS = 100 * 365 * 86400.0


def _split(key: str) -> tuple[str, str]:
    """Return what a key blocks, and whom, as `remove` takes it; a key of another kind is shown whole."""
    scope, colon, recipient = key.partition(":")
    if not colon or scope not in get_args(Scope):
        return "", key
    localpart, _, domain = recipient.rpartition("@")
    return scope, quoted(Address(localpart, domain))


def _time(seconds: float) -> str:
    if seconds == math.inf:
        return "for ever"
    try:
        return local(seconds)
    except (ValueError, OverflowError, OSError):  # what the file says is in no calendar
        return "?"


COLUMNS = (
    Column[Block]("RECIPIENT", lambda block: _split(block.key)[1], 14, 50, 0),
    Column[Block]("MAIL", lambda block: _split(block.key)[0], 7, 7, 2),
    Column[Block](f"SINCE ({zone_names()})", lambda block: _time(block.since), 19, 19, 3),
    Column[Block](f"UNTIL ({zone_names()})", lambda block: _time(block.until), 19, 19, 1),
    Column[Block]("WHY", lambda block: block.why, 14, 80, 4),
)


def all_option(function: F) -> F:
    """Add --all."""
    return click.option("--all", "everything", is_flag=True, help="All mail, and not only bounces.")(function)


@click.group(cls=Group, section=Section.ADDRESSES)
def blocks() -> None:
    """List, add and end blocks of flooded recipients.

    \b
    Examples:
      eximacl blocks list
      eximacl blocks add steve@example.org --for 2h
    """


@blocks.command("list")
@json_option
@config_option
@state_option
def list_command(as_json: bool, config_path: Path, state_path: Path | None) -> int:
    """List current blocks, sorted by address.

    \b
    Examples:
      eximacl blocks list
      eximacl blocks list --json | jq -r .recipient

    In JSON, times are seconds since 1970, and `until` is null for a block for ever.
    """
    with open_statefile(config_path, state_path) as state:
        standing = sorted(state.blocks(time.time()), key=lambda block: _split(block.key)[::-1]) if state else []
    if as_json:
        for block in standing:
            write_object(_as_dict(block))
    elif standing:
        table = Table(COLUMNS, terminal_width())
        for line in (table.head(), *map(table.row, standing)):
            write_line(line)
    else:
        click.echo("nothing is blocked", err=True)
    return 0


@blocks.command()
@click.argument("address")
@click.option("--for", "span", required=True, metavar="SPAN", help="How long: 30m, 2h, 7d, or ever.")
@all_option
@click.option("--why", metavar="TEXT", help="For those who find it in the list.  [default: who has added it]")
@json_option
@config_option
@state_option
def add(
    address: str,
    span: str,
    everything: bool,
    why: str | None,
    as_json: bool,
    config_path: Path,
    state_path: Path | None,
) -> int:
    """Block bounces to an address, or all mail to it.

    A block that is there already can become longer, but never shorter.

    The check blocked_recipient refuses the mail. The daemon knows of it at once; it need not run.

    \b
    Examples:
      eximacl blocks add steve@example.org --for 2h
      eximacl blocks add steve@example.org --for ever --all --why "has left"

    \b
    Exit status: 0 it is blocked
      64 the address or the span is wrong    74 the state file cannot be used    78 wrong configuration
    """
    key, seconds, now = _key(address, everything, new=True), _seconds(span), time.time()
    with open_statefile(config_path, state_path) as state:
        if state is None:
            raise Failure("there is no state file yet: start the daemon once, which makes it", exits.IO_ERROR)
        before = state.blocked(key, now)
        state.block(key, now, now + seconds, why or f"by {current_user(os.environ)}, by hand")
        block = state.blocked(key, now)
    assert block is not None
    _note_foreign(key.rpartition("@")[2], config_path)
    if as_json:
        print_json(_as_dict(block))
    else:
        still = "" if before is None else f", since {_time(before.since)} already ({before.why})"
        click.echo(printable(f"{_what(key)} blocked{_until(block.until)}{still}"))
    return 0


def _completed(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return what is blocked and begins like this, for the shell; nothing when it cannot be known."""
    given = context.params
    wanted = _scope(bool(given.get("everything")))
    try:
        with open_statefile(given["config_path"], given.get("state_path")) as state:
            keys = [_split(block.key) for block in state.blocks(time.time())] if state else []
    except Failure:
        return []
    return [who for scope, who in keys if scope == wanted and who.startswith(incomplete) and who.isprintable()]


@blocks.command()
@click.argument("address", shell_complete=_completed)
@all_option
@json_option
@config_option
@state_option
def remove(address: str, everything: bool, as_json: bool, config_path: Path, state_path: Path | None) -> int:
    """End the block of bounces to an address, or of all mail to it.

    Its bounces are counted from zero again, so a storm that goes on blocks it again.

    \b
    Examples:
      eximacl blocks remove steve@example.org
      eximacl blocks remove steve@example.org --all

    \b
    Exit status: 0 it is blocked no more
      64 the address is wrong    66 it was not blocked    74 the state file cannot be used    78 wrong configuration
    """
    key = _key(address, everything)
    with open_statefile(config_path, state_path) as state:
        block = state.blocked(key, time.time()) if state else None
        if state:
            if block:
                # What was counted would have the next bounce block again.
                state.forget(_storm_of(key))
            state.unblock(key)
    if block is None:
        raise Failure(f"{printable(_what(key))} not blocked; see `eximacl blocks list`", exits.NOT_FOUND)
    if as_json:
        print_json(_as_dict(block))
    else:
        click.echo(printable(f"{_what(key)} blocked no more"))
    return 0


def _key(text: str, everything: bool, *, new: bool = False) -> str:
    """Return the key of a recipient's block, as the checks make it: the address in lower case, and canonical.

    Whatever stands in the state can be removed; a `new` one must be an address.
    """
    address = parse_quoted(without_brackets(text))
    if not all(address) or (new and not _is_address(text, address)):
        raise click.UsageError(f"{printable(text)}: give an address, such as steve@example.org")
    return block_key(_scope(everything), *address)


def _is_address(text: str, address: Address) -> bool:
    """Whether a text is one address; only quotes and backslashes make blanks a part of it."""
    spaced = any(map(str.isspace, without_brackets(text))) and not set(text) & {'"', "\\"}
    return not spaced and is_mailbox(quoted(address))


def _storm_of(key: str) -> str:
    """Return the key under which the bounces to a blocked recipient are counted."""
    localpart, _, domain = key.partition(":")[2].rpartition("@")
    return storm_key(localpart, domain)


def _note_foreign(domain: str, config_path: Path) -> None:
    """Say so where mail to a domain is not judged. Where that cannot be known, nothing is said."""
    with contextlib.suppress(ValueError):
        if domain not in policy_domains(config_path):
            click.echo(f"Note: {printable(domain)} is not in policy.domains, so its mail is not judged", err=True)


def _scope(everything: bool) -> Scope:
    return "all" if everything else "bounces"


def _seconds(span: str) -> float:
    if span.strip().lower() == EVER:
        return math.inf
    try:
        seconds = parse_span(span)
    except ValueError as error:
        raise click.UsageError(f"--for: {error}, or ever") from None
    if not seconds:
        raise click.UsageError("--for: a block must last; to end one: eximacl blocks remove")
    if seconds > SPAN_MAX_SECONDS:
        raise click.UsageError("--for: longer than a hundred years; give ever")
    return seconds


def _what(key: str) -> str:
    scope, recipient = _split(key)
    return f"mail to {recipient} is" if scope == "all" else f"bounces to {recipient} are"


def _until(until: float) -> str:
    return " for ever" if until == math.inf else f" until {_time(until)}"


def _as_dict(block: Block) -> dict[str, Any]:
    scope, recipient = _split(block.key)
    until = None if block.until == math.inf else block.until
    return {"recipient": recipient, "mail": scope, "since": block.since, "until": until, "why": block.why}
