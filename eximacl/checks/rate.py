"""`rate`: a limit for each client, each sender and each of our domains. What is deferred does not count."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from eximacl.check import Ask, Hit, Outcome, Query, Unknown, check, option
from eximacl.mail.hosts import ip_address

MINUTE_SECONDS = 60.0
# Each message rewrites the times of all that are remembered for its client: a thousand are eight kilobytes.
LIMIT_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `rate`."""

    minutes: int = option(60, "For how many minutes a recipient counts.", minimum=1, maximum=1440)
    client: int = option(
        0, "How many recipients one client may name in that time; 0: no limit.", minimum=0, maximum=LIMIT_MAX
    )
    sender: int = option(
        0, "How many recipients one envelope sender may name in that time; bounces have no limit. 0: no limit.",
        minimum=0, maximum=LIMIT_MAX,
    )  # fmt: skip
    recipient_domain: int = option(
        0, "How many recipients one of our domains accepts in that time; 0: no limit.", minimum=0, maximum=LIMIT_MAX
    )
    network4: int = option(32, "IPv4 clients in one network of this prefix length count as one.", minimum=8, maximum=32)
    network6: int = option(
        64, "IPv6 clients in one network of this prefix length count as one.", minimum=16, maximum=128
    )


def _idle(options: Options) -> bool:
    return not (options.client or options.sender or options.recipient_domain)


@check("rate", stages={"rcpt"}, options=Options, action="defer", idle=_idle)
async def rate(query: Query, options: Options, ask: Ask) -> Outcome:
    """Defer mail that comes too fast from one client, from one sender, or for one of our domains.

    Recipients count, not messages, and only those to which no earlier check objected. All limits are off by default.
    """
    limits = list(_limits(query, options))
    seconds = options.minutes * MINUTE_SECONDS
    for what, limit in limits:
        count = await ask.count_events(f"rate:{what}", seconds)
        if isinstance(count, Unknown):
            return count
        if count >= limit:
            who = what.partition(":")[2]
            text = f"too much mail from or to {who} in {options.minutes} min; please try again later"
            return Hit("rate", f"{what}: {limit} in {options.minutes} min", text, temporary=True)
    for what, limit in limits:
        noted = await ask.count_event(f"rate:{what}", seconds, limit)
        if isinstance(noted, Unknown):
            return noted
    return None


def _limits(query: Query, options: Options) -> Iterator[tuple[str, int]]:
    """Yield what is counted, with its limit."""
    address, sender, recipient = ip_address(query.ip), query.sender, query.recipient
    if options.client and address is not None:
        bits = options.network4 if address.version == 4 else options.network6
        yield f"client:{ipaddress.ip_network((address, bits), strict=False)}", options.client
    if options.sender and sender is not None and not sender.is_null:
        yield f"sender:{str(sender).lower()}", options.sender
    if options.recipient_domain and recipient is not None:
        yield f"domain:{recipient.domain}", options.recipient_domain
