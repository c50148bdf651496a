"""`greylist`: an unknown client has to try again. A retry from any of its hosts is accepted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from eximacl.check import (
    Ask,
    AtData,
    Clients,
    Delayed,
    Hit,
    Outcome,
    PatternTimeout,
    Query,
    Recipients,
    Unknown,
    check,
    option,
)
from eximacl.mail.address import Address, canonical_domain
from eximacl.mail.generic_names import is_line, is_rented
from eximacl.mail.hosts import IPAddress, ip_address, registrable_domain
from eximacl.mail.senders import reduced

MINUTE_SECONDS = 60.0
HOUR_SECONDS = 3600.0
DAY_SECONDS = 86400.0
_OWN_BITS = {4: 32, 6: 64}
# Of all its keys. What follows counts as an owner of its own in the state: who has passed and who is known keep their
# rows, however many wait.
PREFIX = "greylist-"
WAITING = f"{PREFIX}waiting"
# How many new triplets a client may begin within an hour before it waits as a whole. Each has a row in the state.
NEW_MAX = 200
# A host with one IPv6 network of 64 bits often has 65,536 of them, in one of 48.
_NETWORK6_BITS = 48


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `greylist`."""

    when: Literal["always", "suspicious"] = option(
        "always", "always: every client; suspicious: only if one of the checks in `suspicious` had a hit."
    )
    suspicious: tuple[str, ...] = option(
        [], 'For when = "suspicious": checks that come before this one in policy.order and have action = "observe".'
    )
    recipients: Recipients = option([], "Only mail to these recipients has to wait; empty: mail to all.")
    no_retry: Clients = option(
        "lists/no_retry", "Clients that never wait, since they do not try again, or do so from anywhere or too late."
    )
    delay_minutes: int = option(
        5, "How many minutes after its first attempt a client is accepted.", minimum=0, maximum=1440
    )
    retry_hours: int = option(
        48, "A first attempt is forgotten unless it is repeated within this many hours.", minimum=1, maximum=720
    )
    lifetime_days: int = option(
        36, "How many days after its last message a client that has passed is remembered.", minimum=1, maximum=732
    )
    known_after: int = option(
        3, "A client that has delivered mail in this many hours is not delayed any more; 0: it always is.",
        minimum=0, maximum=100,
    )  # fmt: skip
    pool: bool = option(
        True,
        "Whether all hosts with confirmed names in one registrable domain are one client; customers' lines never are.",
    )
    network4: int = option(24, "IPv4 clients in one network of this prefix length count as one.", minimum=8, maximum=32)
    network6: int = option(
        64, "IPv6 clients in one network of this prefix length count as one.", minimum=16, maximum=128
    )

    def __post_init__(self) -> None:
        if self.when == "suspicious" and not self.suspicious:
            raise ValueError(
                'suspicious: when = "suspicious" needs the names of the checks that make a message suspicious'
            )
        if self.delay_minutes * MINUTE_SECONDS >= self.retry_hours * HOUR_SECONDS:
            raise ValueError("retry_hours: a retry after delay_minutes would come too late; make it longer")


def _listens_to(options: Options) -> tuple[str, ...]:
    return options.suspicious if options.when == "suspicious" else ()


def _no_effect(options: Options) -> Iterator[str]:
    if not options.delay_minutes:
        yield "delay_minutes = 0 delays nobody"


@check(
    "greylist",
    stages={"rcpt", "data"},
    options=Options,
    action="off",
    listens_to=_listens_to,
    no_effect=_no_effect,
    once=True,
    temporary=True,
    spare_known=True,
)
async def greylist(query: Query, options: Options, ask: Ask) -> Outcome:
    """Ask an unknown client to try again after some minutes, which most junk senders never do.

    Bounces are delayed at DATA, not at RCPT, so that servers that verify an address by a callout are not delayed.
    """
    address, recipient, sender = ip_address(query.ip), query.recipient, query.sender
    if address is None or recipient is None or sender is None:
        return None
    if options.recipients.filled and not _is_listed(query, options.recipients):
        return None
    if options.no_retry.filled and _never_retries(query, options.no_retry):
        return None
    sources = _listens_to(options)
    if sources and not any(name in sources for name in ask.observed):
        return None
    if sender.is_null and query.stage == "rcpt":
        return AtData()
    if query.stage == "data":
        if not sender.is_null:
            return None  # judged at RCPT
        recipient = query.recipients[0]  # a message waits as a whole: once, under the name of its first recipient
        query = query.for_recipient(recipient)
    client = _client(query, address, options)
    attempt = _Attempt(client, sender, _mailbox(query, recipient), query.now)
    return await _judge(attempt, options, ask)


class _Attempt(NamedTuple):
    """A greylist triplet, and when it is tried, in seconds since 1970."""

    client: str
    sender: Address
    recipient: str
    now: float

    def triplet(self) -> str:
        """What is compared: without what some systems change in the sender with each attempt."""
        return f"{self.client} {reduced(self.sender)} {self.recipient}"


class _Wait(NamedTuple):
    """Since when a triplet waits, in seconds since 1970; as_client: not it alone, but its client as a whole."""

    since: float
    as_client: bool = False


def _mailbox(query: Query, recipient: Address) -> str:
    """Return who gets the message: a tag makes no other recipient, or one client could begin millions of triplets."""
    if query.elsewhere or not query.owner:
        return str(recipient).lower()
    return str(Address(query.owner, query.domain)).lower()


def _never_retries(query: Query, clients: Clients) -> bool:
    """Whether the client is listed; a pattern that takes too long delays nobody."""
    try:
        return clients.match(query.ip, query.host) is not None
    except PatternTimeout:
        return True


def _is_listed(query: Query, recipients: Recipients) -> bool:
    """Whether the recipient is listed, or at DATA any recipient: a message waits as a whole."""
    if query.stage == "data":
        return any(recipients.match(*one) is not None for one in query.recipients)
    return recipients.match(query.mailbox, query.domain) is not None


def _client(query: Query, address: IPAddress, options: Options) -> str:
    """Return what stands for the client: the owner of its confirmed name, or its network.

    A customer's line or rented host stands for itself, an IPv6 one with its 64 bits: its neighbours are strangers.
    """
    bits = options.network4 if address.version == 4 else options.network6
    if options.pool and query.host:
        name = canonical_domain(query.host)
        if is_line(name, address) or is_rented(name):
            bits = max(bits, _OWN_BITS[address.version])
        elif domain := registrable_domain(name):
            return domain
    return str(ipaddress.ip_network((address, bits), strict=False))


def _flooder(client: str) -> str:
    """Return whose new triplets are counted together: the client's, or those of a wider network where it has many."""
    if "/" not in client:
        return client
    network = ipaddress.ip_network(client)
    if network.version == 4 or network.prefixlen <= _NETWORK6_BITS:
        return client
    return str(network.supernet(new_prefix=_NETWORK6_BITS))


async def _judge(attempt: _Attempt, options: Options, ask: Ask) -> Delayed | Hit | Unknown | None:
    client = attempt.client
    lifetime = options.lifetime_days * DAY_SECONDS
    known = await ask.remember(f"{PREFIX}known:{client}", lifetime)
    if known:  # or Unknown
        return known if isinstance(known, Unknown) else None
    triplet = attempt.triplet()
    passed = await ask.remember(f"{PREFIX}passed:{triplet}", lifetime)
    if isinstance(passed, Unknown):
        return passed
    waited = 0.0
    if not passed:
        wait = await _wait(attempt, triplet, options, ask)
        if isinstance(wait, Unknown):
            return wait
        waited = max(0.0, attempt.now - wait.since)
        if waited < options.delay_minutes * MINUTE_SECONDS:
            return _hit(client, options.delay_minutes)
        if wait.as_client:
            waited = 0.0  # this message may never have
        else:
            await ask.first_seen(f"{PREFIX}passed:{triplet}", lifetime)
    if options.known_after:
        await _note_delivery(client, lifetime, options.known_after, ask)
    return Delayed(waited) if waited else None


async def _wait(attempt: _Attempt, triplet: str, options: Options, ask: Ask) -> _Wait | Unknown:
    """Return since when a triplet that has not passed yet waits: since now, if it is new.

    Of a client that has begun too many in an hour, the others wait together, in one row, until that one is forgotten.
    """
    own, flooder = f"{WAITING}:{triplet}", _flooder(attempt.client)
    for key, as_client in ((own, False), (f"{WAITING}:{flooder} * *", True)):
        since = await ask.seen(key)
        if since is not None:
            return since if isinstance(since, Unknown) else _Wait(since, as_client)
    begun = await ask.count_event(f"{WAITING}:{flooder}", HOUR_SECONDS, NEW_MAX + 1)
    if isinstance(begun, Unknown):
        return begun
    as_client = begun > NEW_MAX
    key = f"{WAITING}:{flooder} * *" if as_client else own
    first = await ask.first_seen(key, options.retry_hours * HOUR_SECONDS, evict=True)
    return first if isinstance(first, Unknown) else _Wait(first, as_client)


async def _note_delivery(client: str, lifetime: float, known_after: int, ask: Ask) -> None:
    """Count a delivery, one an hour at most: what was queued at once with several senders comes back at once, too.

    If that fails, it is not a reason to delay the message.
    """
    key = passes_key(client)
    if await ask.count_events(key, HOUR_SECONDS):  # or Unknown
        return
    passed = await ask.count_event(key, lifetime, known_after)
    if not isinstance(passed, Unknown) and passed >= known_after:
        await ask.first_seen(f"{PREFIX}known:{client}", lifetime)


def passes_key(client: str) -> str:
    """Return the key under which a client's deliveries are counted."""
    return f"{PREFIX}passes:{client}"


def _hit(client: str, minutes: int) -> Hit:
    text = f"greylisted: please try again in {minutes} min"
    return Hit("greylisted", client, text, f"Greylisted for {minutes} min: {client}", temporary=True)
