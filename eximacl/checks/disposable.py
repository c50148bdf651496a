"""`disposable`: addresses that accept a number of messages, or mail until a date.

A message that cannot be counted is not accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from eximacl.check import Alias, Ask, Hit, Outcome, Query, Reserve, Secrets, check, option
from eximacl.mail.address import Address
from eximacl.mail.disposable import Disposable, Malformed, Rules, parse, standing

# Each question about a counted address reads all of its places: ten thousand take a millisecond.
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
        "The largest number of messages in an address.",
        minimum=1,
        maximum=LARGEST_COUNT_MAX,
    )
    farthest_days: int = option(
        Rules.farthest_days, "How many days ahead the date in an address may be.", minimum=1, maximum=FARTHEST_DAYS_MAX
    )
    timezone: ZoneInfo = option(
        "", 'The time zone in which a day begins, such as Europe/Helsinki; "": the machine\'s own.'
    )
    sign: bool = option(Rules.sign, "Accept only addresses that `eximacl mint` has signed.")
    secrets: Secrets = option("", "A file of secrets, one per line. Needed by sign.")


@check("disposable", stages={"rcpt"}, options=Options, on_unknown="defer", resolves=True, heeds_allowed=False)
async def disposable(query: Query, options: Options, ask: Ask) -> Outcome:
    """Accept NAME.3.count for three messages, and NAME.date.31-12-2026 until that day begins.

    The checks after this one judge NAME. A message counts once it is accepted; a place is reserved for it at RCPT.
    What looks like such an address but breaks its rules is refused like an unknown recipient.
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
        return Alias(address.name, _slot(recipient, address))
    stands = standing(options, address.until, query.now)
    if stands == "too-far":
        return _unknown_recipient(recipient, "dated-too-far", str(address.until), address.name)
    owner = Alias(address.name)
    return owner if stands == "open" else _expired(recipient, str(address.until), owner)


def _slot(recipient: Address, address: Disposable) -> Reserve:
    """Return the slot that counts this message."""
    return Reserve(
        f"counted:{address.unsigned}@{recipient.domain}",
        address.limit,
        full=_used_up(recipient, address.limit),
        pending=_pending(recipient, address.limit),
    )


def _unknown_recipient(recipient: Address, reason: str, detail: str, owner: str) -> Hit:
    """Answer as `valid_recipient` does, so that a bad signature cannot be told from a name that does not exist."""
    localpart, domain = recipient
    text = f"mail to {localpart} not accepted here"
    sentence = f"Mail for {localpart} not accepted at {domain}"
    return Hit(reason, detail, text, sentence, status="1.1", stands_for=Alias(owner) if owner else None)


def _expired(recipient: Address, day: str, owner: Alias) -> Hit:
    localpart, domain = recipient
    text = f"mail to {localpart} not accepted here since {day}"
    sentence = f"Mail for {localpart} not accepted at {domain} since {day}"
    return Hit("dated-expired", day, text, sentence, status="2.1", stands_for=owner)


def _used_up(recipient: Address, limit: int) -> Hit:
    localpart, domain = recipient
    text = f"mail to {localpart} not accepted here: this address has reached its limit of {limit}"
    sentence = f"Mail for {localpart} not accepted at {domain}: {limit} of {limit} messages taken"
    return Hit("counted-used-up", str(limit), text, sentence, status="2.1")


def _pending(recipient: Address, limit: int) -> Hit:
    localpart, domain = recipient
    text = f"another message to {localpart} is just coming in; please try again later"
    sentence = f"Mail for {localpart} not yet accepted at {domain}: the last of {limit} places is reserved"
    return Hit("counted-pending", str(limit), text, sentence, status="2.1", temporary=True)
