"""`disposable`: addresses that accept a number of messages, or mail until a date.

A message that cannot be counted is not accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal
from zoneinfo import ZoneInfo

from eximacl.check import (
    Alias,
    Ask,
    Hit,
    KnownAddress,
    Outcome,
    Place,
    Query,
    Reserve,
    Secrets,
    Terms,
    Unknown,
    check,
    option,
)
from eximacl.mail.address import Address, without_tag
from eximacl.mail.disposable import Disposable, Malformed, Rules, parse, standing
from eximacl.mail.hosts import ip_address, network_of, registrable_domain
from eximacl.mail.senders import untagged

# Each question about a counted address reads all of its places of a week: ten thousand take a millisecond.
LARGEST_COUNT_MAX = 10_000
# A hundred years; the calendar ends in 9999.
FARTHEST_DAYS_MAX = 36_600
# Of a dated address: as many as anybody sends.
DATED_PLACES = 1_000_000_000
# Of `new_addresses`, one client's network gets this share, so that the rest is left to others; but never less than
# ten, since a few shops may send through one provider.
CLIENT_SHARE = 4
CLIENT_NEW_MIN = 10
CLIENT_BITS4, CLIENT_BITS6 = 24, 48
DAY_SECONDS = 86400.0
# The reason of those that come too many at once, of which an admin hears.
CROWDED = "counted-crowded"
# Of the first message under `exclusive`, where the null sender is not one.
NULL_SENDER = "<>"

Exclusive = Literal["no", "sender", "domain"]


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
    default_count: int = option(
        Rules.default_count,
        "How many messages NAME.count takes, without a number; 0: it is an ordinary name.",
        minimum=0,
        maximum=LARGEST_COUNT_MAX,
    )
    farthest_days: int = option(
        Rules.farthest_days, "How many days ahead the date in an address may be.", minimum=1, maximum=FARTHEST_DAYS_MAX
    )
    timezone: ZoneInfo = option(
        "", 'The time zone in which a day begins, such as Europe/Helsinki; "": the machine\'s own.'
    )
    exclusive: Exclusive = option(
        "no", "Whether only the sender of the first message may use an address after that, or only its domain."
    )
    new_addresses: int = option(
        100,
        "How many counted addresses of one owner may come into use within 24 hours, a quarter of them (or ten) from "
        "one client's network; more get a 451. 0: any number. "
        "Those that `eximacl mint` made do not count.",
        minimum=0,
    )
    sign: bool = option(Rules.sign, "Accept only addresses that `eximacl mint` has signed.")
    secrets: Secrets = option("", "A file of secrets, one per line. Needed by sign.")


def _no_effect(options: Options) -> Iterator[str]:
    if options.exclusive != "no" and not options.sign:
        what = "keeps out nobody who guesses an address and writes to it first; set sign = true, too"
        yield f'exclusive = "{options.exclusive}" without sign {what}'


@check(
    "disposable",
    stages={"rcpt"},
    options=Options,
    on_unknown="defer",
    no_effect=_no_effect,
    resolves=True,
    heeds_allowed=False,
)
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
        owner = Alias(address.name, _slot(query, recipient, options, address))
        crowds = await _crowds(query, recipient, options, address, ask)
        return _crowded(recipient)._replace(stands_for=owner._replace(reserve=None)) if crowds else owner
    stands = standing(options, address.until, query.now)
    if stands == "too-far":
        return _unknown_recipient(recipient, "dated-too-far", str(address.until), address.name)
    if stands == "begun":
        return _expired(recipient, str(address.until), Alias(address.name))
    owner = Alias(address.name, None, f"last day {address.last_day}")
    if options.exclusive != "no":
        return owner._replace(reserve=_slot(query, recipient, options, address))
    # Its owner may have ended it. A state that cannot tell is not a reason to put its mail off.
    known = await ask.known(key_of(address, recipient.domain))
    return _ended(recipient)._replace(stands_for=owner) if isinstance(known, KnownAddress) and known.ended else owner


async def _crowds(query: Query, recipient: Address, options: Options, address: Disposable, ask: Ask) -> bool:
    """Return whether this client has brought too many new addresses of one owner into use, which leaves none to others.

    Each counts once, however often the client tries. A state that cannot tell is not a reason to put its mail off: the
    owner's own bound holds all the same.
    """
    client = ip_address(query.ip)
    if not options.new_addresses or options.sign or client is None:
        return False
    key = key_of(address, recipient.domain)
    if await ask.known(key) is not None:  # or Unknown
        return False
    network = network_of(client, CLIENT_BITS4, CLIENT_BITS6)
    new = f"disposable:{network}:{key}"
    if await ask.seen(new) is not None:
        return False
    most = max(CLIENT_NEW_MIN, options.new_addresses // CLIENT_SHARE)
    whose = f"disposable:{network}:{owner_of(address, recipient.domain, query.separators)}"
    count = await ask.count_event(whose, DAY_SECONDS, most + 1)
    if not isinstance(count, Unknown) and count > most:
        return True
    await ask.first_seen(new, DAY_SECONDS)
    return False


def key_of(address: Disposable, domain: str) -> str:
    """Return the key under which the state knows an address at a canonical domain."""
    return f"{'dated' if address.until else 'counted'}:{address.unsigned}@{domain}"


def owner_of(address: Disposable, domain: str, separators: str) -> str:
    """Return whose an address at a canonical domain is: its owner's address in lower case, without a tag."""
    return f"{without_tag(address.name.lower(), separators)}@{domain}"


def _slot(query: Query, recipient: Address, options: Options, address: Disposable) -> Reserve:
    """Return the slot that counts this message."""
    limit = DATED_PLACES if address.until else address.limit
    sender = _sender(query)
    terms = Terms(
        owner_of(address, recipient.domain, query.separators),
        sender,
        _only(options.exclusive, sender),
        options.new_addresses,
        str(address.until or ""),
    )
    return Reserve(key_of(address, recipient.domain), limit, partial(_objection, recipient), terms)


def _sender(query: Query) -> str:
    """Return who sends, in lower case and without the tag that changes with each day (BATV); empty: the null sender."""
    sender = query.sender
    if sender is None or sender.is_null:
        return ""
    return str(untagged(sender)).lower()


def _only(exclusive: Exclusive, sender: str) -> str:
    """Return what the first sender must be for this one to be accepted; empty: anybody."""
    if exclusive == "no":
        return ""
    domain = sender.rpartition("@")[2]
    return sender if exclusive == "sender" and sender else registrable_domain(domain) or domain or NULL_SENDER


def _objection(recipient: Address, place: Place) -> Hit:
    """Say why there is no place for a message."""
    if place.slot == "ended":
        return _ended(recipient)
    if place.slot == "foreign":
        return _foreign(recipient)
    if place.slot == "crowded":
        return _crowded(recipient)
    return (_used_up if place.slot == "full" else _pending)(recipient, place.limit)


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


def _ended(recipient: Address) -> Hit:
    localpart, domain = recipient
    text = f"mail to {localpart} not accepted here any longer"
    sentence = f"Mail for {localpart} not accepted at {domain}: its owner has ended this address"
    return Hit("disposable-ended", "by its owner", text, sentence, status="2.1")


def _foreign(recipient: Address) -> Hit:
    localpart, domain = recipient
    text = f"mail to {localpart} not accepted here from this sender"
    sentence = f"Mail for {localpart} not accepted at {domain}: only its first sender may use this address"
    return Hit("disposable-exclusive", "another sender", text, sentence, status="7.1")


def _crowded(recipient: Address) -> Hit:
    localpart, domain = recipient
    text = f"mail to {localpart} not accepted yet; please try again later"
    sentence = f"Mail for {localpart} not yet accepted at {domain}: too many new addresses like it"
    return Hit(CROWDED, "too many new addresses", text, sentence, status="2.1", temporary=True)


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
