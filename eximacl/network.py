"""What the network knows: DNS within a query's time budget, and which DNS lists can be trusted.

Rule: a list that lists everybody, or nobody, is at fault until a probe says otherwise; one that does not answer
is not: each look-up tells that for itself.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from eximacl.answers import Answered
from eximacl.check import Probe
from eximacl.config.declare import DnsSettings
from eximacl.dns import Resolver
from eximacl.model import Unknown
from eximacl.questions import Found, RecordKind

# A probe is no query's: nobody waits for it.
PROBE_BUDGET_SECONDS = 10.0

# What a DNS list may answer (RFC 5782, section 2.3), and the part of it in which Spamhaus tells of errors.
LISTED = ipaddress.IPv4Network("127.0.0.0/8")
ERRORS = ipaddress.IPv4Network("127.255.255.0/24")

LISTS_ALL = "it lists everybody"
LISTS_NOTHING = "it lists nobody"

log = logging.getLogger("eximacl")


class Network:
    """Answers the network's questions. Make it anywhere; use it inside one running event loop."""

    def __init__(self, settings: DnsSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget = settings.budget
        self._clock = clock
        self._resolver = Resolver(settings.servers, cache_entries=settings.cache, clock=clock)
        self._faults: dict[str, str] = {}

    def deadline(self) -> float:
        """See `answers.Network.deadline`."""
        return self._clock() + self._budget

    def look_up(self, asked: Sequence[tuple[str, RecordKind]], until: float) -> Answered | Awaitable[Answered]:
        """See `answers.Network.look_up`."""
        return self._resolver.lookup_all(asked, until)

    def fault(self, zone: str) -> str:
        """See `answers.Network.fault`."""
        return self._faults.get(zone, "")

    async def probe(self, probes: Sequence[Probe]) -> None:
        """Probe each list, all at the same time; log each that turns bad, or good again. Never raises."""
        for zone in set(self._faults) - {probe.zone for probe in probes}:
            del self._faults[zone]
        self._resolver.set_zones(probe.zone for probe in probes)
        await asyncio.gather(*map(self._probe, probes))

    async def _probe(self, probe: Probe) -> None:
        listed_name, clean_name = probe.names()
        waiting = self.look_up(((listed_name, "A"), (clean_name, "A")), self._clock() + PROBE_BUDGET_SECONDS)
        listed, clean = waiting if isinstance(waiting, tuple) else await waiting
        fault = _fault(listed, clean)
        if fault is None or fault == self.fault(probe.zone):
            return
        self._faults[probe.zone] = fault
        if fault:
            log.warning("the DNS list %s is not used: %s; it is tried again later", probe.zone, fault)
        else:
            log.warning("the DNS list %s is used again", probe.zone)

    def status(self) -> dict[str, Any]:
        """Return what `eximacl status` shows: the resolver's figures, and each list that is at fault."""
        return {**self._resolver.status(), "faults": {zone: fault for zone, fault in self._faults.items() if fault}}

    def close(self) -> None:
        """Stop asking. Twice is harmless."""
        self._resolver.close()


def _fault(listed: Found | Unknown, clean: Found | Unknown) -> str | None:
    """Return what the two answers of a probe say; None: nothing. The second must not be listed, the first must."""
    if is_listed(clean):
        return LISTS_ALL
    if isinstance(listed, Unknown) or isinstance(clean, Unknown) or any(map(_is_error, listed)):
        return None
    return "" if is_listed(listed) else LISTS_NOTHING


def is_listed(found: Found | Unknown) -> bool:
    """Return whether a DNS list's answer is a listing: an address in 127.0.0.0/8 that tells of no error."""
    if isinstance(found, Unknown):
        return False
    return any(ipaddress.IPv4Address(text) in LISTED and not _is_error(text) for text in found)


def _is_error(text: str) -> bool:
    return ipaddress.IPv4Address(text) in ERRORS
