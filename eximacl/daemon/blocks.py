"""Listing, setting and ending blocks of recipients: in the running daemon, or in its state where none runs.

Both answer REQUESTS (`eximacl.daemon.state_requests`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_args

from eximacl.checks._block_keys import Scope, block_key, storm_key
from eximacl.daemon.state_requests import ANSWER_CHARACTERS, Source, StateRequest, Values, given, part
from eximacl.mail.address import Address, is_mailbox, parse_quoted, quoted, without_brackets
from eximacl.policy.later import settled
from eximacl.policy.state import BLOCKS_MAX, Block, State
from eximacl.protocol.client import UNREADABLE, DaemonError
from eximacl.protocol.exim import ProtocolError
from eximacl.system.times import parse_span

EVER = "ever"
# Longer is for ever, and has no date in the calendar.
SPAN_MAX_SECONDS = 100 * 365 * 86400.0


class Added(NamedTuple):
    """A block that was set, and the one that stood before."""

    block: Block
    before: Block | None


def blocks_of(source: Source) -> Iterator[Block]:
    """Yield what is blocked now, in order of the keys."""
    after: Values = {}
    while True:
        answer = source("blocks", after)
        page = [_block(fields) for fields in part(answer, "blocks", list)]
        yield from page
        if not part(answer, "more", bool) or not page:
            return
        after = {"after": page[-1].key}


def add_block(source: Source, key: str, seconds: float, why: str) -> Added:
    """Block `key` for `seconds` from now (`math.inf`: for ever), or for longer where it is blocked already."""
    answer = source("block", {"key": key, "seconds": repr(seconds), "why": why})
    before = part(answer, "before", list | None)
    return Added(_block(part(answer, "block", list)), before and _block(before))


def end_block(source: Source, key: str) -> Block | None:
    """End the block of `key`; return it, or None where there was none."""
    ended = part(source("unblock", {"key": key}), "ended", list | None)
    return ended and _block(ended)


def _block(fields: list[Any]) -> Block:
    types = (str, int | float, int | float | None, str)
    if len(fields) != len(types) or not all(map(isinstance, fields, types)):
        raise DaemonError(UNREADABLE)
    key, since, until, why = fields
    return Block(key, float(since), math.inf if until is None else float(until), why)


# What the daemon does.


async def _list(state: State, values: Values, now: float) -> dict[str, Any]:
    found = await settled(state.blocks(now, values.get("after")))
    page: list[list[Any]] = []
    characters = 0
    for block in found:
        characters += len(block.key) + len(block.why)
        if page and characters > ANSWER_CHARACTERS:
            break
        page.append(_fields(block))
    return {"blocks": page, "more": len(page) < len(found) or len(found) == BLOCKS_MAX}


async def _set(state: State, values: Values, now: float) -> dict[str, Any]:
    key, why = given(values, "key"), given(values, "why")
    seconds = _number(given(values, "seconds"))
    before = await settled(state.blocked(key, now))
    await settled(state.block(key, now, now + seconds, why))
    block = await settled(state.blocked(key, now))
    if block is None:  # another process has ended it in between
        block = Block(key, now, now + seconds, why)
    return {"block": _fields(block), "before": before and _fields(before)}


async def _end(state: State, values: Values, now: float) -> dict[str, Any]:
    key = given(values, "key")
    block = await settled(state.blocked(key, now))
    if block:
        # What was counted would have the next bounce block again.
        await settled(state.forget(storm_of(key)))
    await settled(state.unblock(key))
    return {"ended": block and _fields(block)}


REQUESTS: Mapping[str, StateRequest] = {
    "blocks": StateRequest(_list),
    "block": StateRequest(_set, writes=True),
    "unblock": StateRequest(_end),
}


def _number(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise ProtocolError("control", "seconds= is a number above 0, or inf")
    return seconds


def _fields(block: Block) -> list[Any]:
    """Return a block as JSON has it: null is for ever."""
    key, since, until, why = block
    return [key, since, None if until == math.inf else until, why]


# Keys and spans, as people write them.


def key_of(text: str, scope: Scope, *, new: bool = False) -> str:
    """Return the key of a recipient's block, as the checks make it: the address in lower case, and canonical.

    Whatever stands in the state can be ended; a `new` one must be an address. Raises ValueError.
    """
    address = parse_quoted(without_brackets(text))
    if not all(address) or (new and not _is_address(text, address)):
        raise ValueError("give an address, such as steve@example.org")
    return block_key(scope, *address)


def _is_address(text: str, address: Address) -> bool:
    """Whether a text is one address; only quotes and backslashes make blanks a part of it."""
    spaced = any(map(str.isspace, without_brackets(text))) and not set(text) & {'"', "\\"}
    return not spaced and is_mailbox(quoted(address))


def split_key(key: str) -> tuple[str, str]:
    """Return what a key blocks, and whom, as `key_of` takes it; a key of another kind is returned whole."""
    scope, colon, recipient = key.partition(":")
    if not colon or scope not in get_args(Scope):
        return "", key
    localpart, _, domain = recipient.rpartition("@")
    return scope, quoted(Address(localpart, domain))


def storm_of(key: str) -> str:
    """Return the key under which the bounces to a blocked recipient are counted."""
    localpart, _, domain = key.partition(":")[2].rpartition("@")
    return storm_key(localpart, domain)


def parse_duration(text: str) -> float:
    """Return how many seconds a block is to last: a span such as 2h, or `ever`. Raises ValueError."""
    if text.strip().lower() == EVER:
        return math.inf
    try:
        seconds = parse_span(text)
    except ValueError as error:
        raise ValueError(f"{error}, or ever") from None
    if not seconds:
        raise ValueError("a block must last; to end one: eximacl blocks remove")
    if seconds > SPAN_MAX_SECONDS:
        raise ValueError("longer than a hundred years; give ever")
    return seconds
