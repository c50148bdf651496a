"""`rate`: limits for each client, sender, recipient and domain of ours. What is deferred does not count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from eximacl.check import Ask, Hit, Named, Outcome, Query, Tables, Unknown, check, option
from eximacl.mail.hosts import ip_address, network_of
from eximacl.mail.senders import untagged

MINUTE_SECONDS = 60.0
# Each message rewrites the times of all that are remembered for its client: a thousand are eight kilobytes.
LIMIT_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class RateWindow(Named):
    """The limits of one sliding window. Its name is yours to choose; a limit of 0 is none."""

    minutes: int = option(60, "For how many minutes a recipient counts.", minimum=1, maximum=1440)
    client: int = option(0, "How many recipients one client may name in that time.", minimum=0, maximum=LIMIT_MAX)
    sender: int = option(
        0, "How many recipients one envelope sender may name in that time; bounces have no limit.",
        minimum=0, maximum=LIMIT_MAX,
    )  # fmt: skip
    recipient: int = option(
        0, "How many messages one of our recipients accepts in that time.", minimum=0, maximum=LIMIT_MAX
    )
    recipient_domain: int = option(
        0, "How many recipients one of our domains accepts in that time.", minimum=0, maximum=LIMIT_MAX
    )

    @property
    def has_limits(self) -> bool:
        """Whether anything is limited."""
        return bool(self.client or self.sender or self.recipient or self.recipient_domain)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `rate`."""

    windows: Tables[RateWindow] = option([], "The limits: a table for each length of time.")
    network4: int = option(32, "IPv4 clients in one network of this prefix length count as one.", minimum=8, maximum=32)
    network6: int = option(
        64, "IPv6 clients in one network of this prefix length count as one.", minimum=16, maximum=128
    )

    def __post_init__(self) -> None:
        names: dict[int, str] = {}
        for window in self.windows:
            other = names.setdefault(window.minutes, window.name)
            if other != window.name:
                raise ValueError(f"windows: {other} and {window.name} have the same minutes; make one table of them")


class _Limit(NamedTuple):
    """What is counted, in which window, and how many are allowed. what: `client:192.0.2.7/32`."""

    what: str
    minutes: int
    most: int

    @property
    def key(self) -> str:
        """Where the state counts it: the events of two windows are kept apart, each as long as it needs them."""
        return f"rate:{self.minutes}:{self.what}"

    @property
    def seconds(self) -> float:
        return self.minutes * MINUTE_SECONDS

    def hit(self) -> Hit:
        kind, _, who = self.what.partition(":")
        way = "to" if kind in ("recipient", "domain") else "from"
        text = f"too much mail {way} {_without_own_bits(who)} in {self.minutes} min; please try again later"
        return Hit("rate", f"{self.what}: {self.most} in {self.minutes} min", text, temporary=True)


def _without_own_bits(who: str) -> str:
    """Return a network of one address as that address, and all else as it is."""
    return who.removesuffix("/128" if ":" in who else "/32")


def _idle(options: Options) -> bool:
    return not any(window.has_limits for window in options.windows)


@check("rate", stages={"rcpt"}, options=Options, action="defer", idle=_idle, temporary=True, spare_known=True)
async def rate(query: Query, options: Options, ask: Ask) -> Outcome:
    """Defer mail that comes too fast from one client or sender, or for one recipient or one of our domains.

    Recipients count, not messages, and only those to which no earlier check objected. There are no limits by default.
    """
    limits = list(_limits(query, options))
    for limit in limits:
        count = await ask.count_events(limit.key, limit.seconds)
        if isinstance(count, Unknown):
            return count
        if count >= limit.most:
            return limit.hit()
    for limit in limits:
        noted = await ask.count_event(limit.key, limit.seconds, limit.most)
        if isinstance(noted, Unknown):
            return noted
    return None


def _limits(query: Query, options: Options) -> Iterator[_Limit]:
    client, sender, recipient, domain = _counted(query, options)
    for window in options.windows:
        if window.client and client:
            yield _Limit(f"client:{client}", window.minutes, window.client)
        if window.sender and sender:
            yield _Limit(f"sender:{sender}", window.minutes, window.sender)
        if window.recipient and recipient:
            yield _Limit(f"recipient:{recipient}", window.minutes, window.recipient)
        if window.recipient_domain and domain:
            yield _Limit(f"domain:{domain}", window.minutes, window.recipient_domain)


def _counted(query: Query, options: Options) -> tuple[str, str, str, str]:
    """Return client, sender, recipient and domain, as they are counted; empty: has no limit."""
    address, sender, recipient = ip_address(query.ip), query.sender, query.recipient
    client = network_of(address, options.network4, options.network6) if address else ""
    from_whom = "" if sender is None or sender.is_null else str(untagged(sender)).lower()
    if recipient is None:
        return client, from_whom, "", ""
    if query.elsewhere:
        return client, from_whom, "", recipient.domain
    mailbox = query.owner.lower()
    return client, from_whom, f"{mailbox}@{recipient.domain}", recipient.domain
