"""`disposable`: addresses that take a number of messages, or mail until a day. Rule: uncounted is not accepted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

from eximacl.check import Alias, Ask, Hit, Outcome, Query, Secrets, Unknown, check, option
from eximacl.mail.address import Address
from eximacl.mail.disposable import Disposable, Malformed, Rules, parse, standing

# Each question about a counted address looks at all of its places: ten thousand take a millisecond.
LARGEST_COUNT_MAX = 10_000
# A hundred years; the calendar ends in 9999.
FARTHEST_DAYS_MAX = 36_600


@dataclass(frozen=True, kw_only=True)
class Options(Rules):
    """Options of `disposable`."""

    separator: str = option(Rules.separator, "What stands between the pieces of an address; one or more of . + = _ ~ -")
    count_keyword: str = option(Rules.count_keyword, "The word in NAME.3.count.")
    date_keyword: str = option(Rules.date_keyword, "The word in NAME.date.31-12-2026.")
    largest_count: int = option(
        Rules.largest_count,
        "The largest number of messages that an address may be for.",
        minimum=1,
        maximum=LARGEST_COUNT_MAX,
    )
    farthest_days: int = option(
        Rules.farthest_days, "How many days away the date of an address may be.", minimum=1, maximum=FARTHEST_DAYS_MAX
    )
    timezone: ZoneInfo = option("", 'Where a day begins: a name such as Europe/Helsinki; "": as on this machine.')
    sign: bool = option(Rules.sign, "Accept only addresses that `eximacl mint` has signed.")
    secrets: Secrets = option("", "A file of secrets, one a line. Needed by sign.")


@check("disposable", stages={"rcpt"}, options=Options, on_unknown="defer")
async def disposable(query: Query, options: Options, ask: Ask) -> Outcome:
    """Accept NAME.3.count for three messages, and NAME.date.31-12-2026 until that day begins.

    The checks after this one judge NAME. A message counts once it is accepted; a place is kept for it from
    RCPT on. What looks like such an address and is none is refused as an unknown recipient.
    """
    recipient = query.recipient
    if recipient is None:
        return None
    address = parse(options, query.mailbox, recipient.domain)
    if address is None:
        return None
    if isinstance(address, Malformed):
        return _unknown_recipient(recipient, *address)
    if address.until is None:
        return Alias(address.name, partial(_reserve, query, recipient, address, ask))
    stands = standing(options, address.until, ask.now)
    if stands == "too-far":
        return _unknown_recipient(recipient, "dated-too-far", str(address.until))
    return Alias(address.name) if stands == "open" else _expired(recipient, str(address.until))


async def _reserve(query: Query, recipient: Address, address: Disposable, ask: Ask) -> Hit | Unknown | None:
    """Keep a place for this message, once nothing else objected to it."""
    if not ask.holder and not query.dry:
        return Unknown("the query names no transaction (tx=), so the message cannot be counted")
    place = await ask.reserve(f"counted:{address.unsigned}@{recipient.domain}", address.limit)
    if isinstance(place, Unknown) or place == "reserved":
        return place if isinstance(place, Unknown) else None
    return _used_up(recipient, address.limit) if place == "full" else _pending(recipient, address.limit)


def _unknown_recipient(recipient: Address, reason: str, detail: str) -> Hit:
    """Answer as `valid_recipient` does, so that nobody can tell a bad signature from a name that is not there."""
    localpart, domain = recipient
    text = f"mail to {localpart} not accepted here"
    return Hit(reason, detail, text, f"Mail for {localpart} not accepted at {domain}", status="1.1")


def _expired(recipient: Address, day: str) -> Hit:
    localpart, domain = recipient
    text = f"mail to {localpart} not accepted here since {day}"
    return Hit("dated-expired", day, text, f"Mail for {localpart} not accepted at {domain} since {day}", status="2.1")


def _used_up(recipient: Address, limit: int) -> Hit:
    localpart, domain = recipient
    text = f"mail to {localpart} not accepted here: it was good for {limit} and has taken them"
    sentence = f"Mail for {localpart} not accepted at {domain}: {limit} of {limit} messages taken"
    return Hit("counted-used-up", str(limit), text, sentence, status="2.1")


def _pending(recipient: Address, limit: int) -> Hit:
    localpart, domain = recipient
    text = f"mail to {localpart} has to wait for another message that is just coming in; please send it again"
    sentence = f"Mail for {localpart} not yet accepted at {domain}: the last of {limit} places is reserved"
    return Hit("counted-pending", str(limit), text, sentence, status="2.1", temporary=True)
