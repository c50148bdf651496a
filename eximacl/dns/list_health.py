"""DNS for the policy: look-ups within a query's time budget, and which DNS lists can be trusted.

A list is at fault until a probe shows that it lists what it must and does not list what it must not. What a probe has
shown holds until another one shows otherwise; a probe that is not answered shows nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from eximacl.dns import Resolver, Timing
from eximacl.mail.dns_lists import is_error, is_listing
from eximacl.policy.declare import ListProbe
from eximacl.policy.outcome import Unknown
from eximacl.policy.questions import Answered, RecordKind, Records

# A probe is not part of a query: nobody waits for it.
PROBE_BUDGET_SECONDS = 10.0
# A DNS list that turns bad is noticed within this.
PROBE_SECONDS = 1800.0
# Pauses between probes. A list that could not be tried out is of no use, so it is tried again soon, then less and less
# often; half an hour after the last time all lists are.
_DOUBLING = tuple(2.0**power for power in range(1, 10))
PAUSES_SECONDS = (*_DOUBLING, PROBE_SECONDS - sum(_DOUBLING))

LISTS_ALL = "it lists everybody"
LISTS_NOTHING = "it lists nobody"
NOT_TRIED = "it could not be tried out yet"
# What people are told instead, so that they do not look for the fault in the list.
NO_SERVER = "no name server answers, so it could not be tried out yet"

log = logging.getLogger("eximacl")


class DnsNetwork:
    """Answers the policy's questions about DNS. Make it anywhere; use it inside one running event loop.

    budget_seconds: see `answers.Network`.
    """

    def __init__(
        self,
        servers: Sequence[str],
        *,
        budget_seconds: float,
        cache_entries: int,
        clock: Callable[[], float] = time.monotonic,
        timing: Timing | None = None,
    ) -> None:
        self.budget_seconds = budget_seconds
        self._clock = clock
        self._resolver = Resolver(servers, cache_entries=cache_entries, clock=clock, timing=timing)
        self._faults: dict[str, str] = {}
        # Why those that are NOT_TRIED are not.
        self._causes: dict[str, str] = {}
        self.tried = asyncio.Event()

    def look_up(self, asked: Sequence[tuple[str, RecordKind]], seconds: float) -> Answered | Awaitable[Answered]:
        """See `answers.Network.look_up`."""
        return self._resolver.lookup_all(asked, self._clock() + seconds)

    def list_fault(self, zone: str) -> str:
        """See `answers.Network.list_fault`."""
        fault = self._faults.get(zone, NOT_TRIED)
        cause = self._causes.get(zone) if fault is NOT_TRIED else None
        return f"{fault}: {cause}" if cause else fault

    def take_over(self, other: DnsNetwork) -> None:
        """Take over what another instance has found out about the lists."""
        self._faults.update(other._faults)
        self._causes.update(other._causes)

    async def watch(
        self, probes: Sequence[ListProbe], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> NoReturn:
        """Probe the lists until cancelled: all now and every half hour, those not tried out yet more often."""
        while True:
            await self.probe(probes)
            self.tried.set()
            for seconds in PAUSES_SECONDS:
                await sleep(seconds)
                await self._probe_all([probe for probe in probes if self._faults.get(probe.name) is NOT_TRIED])

    async def probe(self, probes: Sequence[ListProbe], seconds: float = PROBE_BUDGET_SECONDS) -> None:
        """Probe each list, all at the same time; log which turn bad, or good again. Never raises."""
        for name in set(self._faults) - {probe.name for probe in probes}:
            del self._faults[name]
            self._causes.pop(name, None)
        self._resolver.set_zones(probe.zone for probe in probes)
        await self._probe_all(probes, seconds)

    async def _probe_all(self, probes: Sequence[ListProbe], seconds: float = PROBE_BUDGET_SECONDS) -> None:
        before = {probe.name: self._said(probe.name) for probe in probes if probe.name in self._faults}
        await asyncio.gather(*(self._probe(probe, seconds) for probe in probes))
        now = {probe.name: self._said(probe.name) for probe in probes}
        for line in _lines({name: fault for name, fault in now.items() if fault and fault != before.get(name)}):
            log.warning("%s; tried again later", line)
        again = [name for name, fault in now.items() if not fault and before.get(name)]
        if again:
            log.warning("%s used again", _lists_are(again))

    async def _probe(self, probe: ListProbe, seconds: float) -> None:
        question = probe.question()
        asked = question.names()
        self._resolver.forget(asked)
        waiting = self.look_up(asked, seconds)
        answers = question.without_keys(waiting if isinstance(waiting, tuple) else await waiting)
        fault = _fault(answers[:-1], answers[-1])
        if fault is not None:
            self._faults[probe.name] = fault
        elif self._faults.setdefault(probe.name, NOT_TRIED) is NOT_TRIED:
            self._causes[probe.name] = _cause(question.asked, answers)

    def status(self) -> dict[str, Any]:
        """Return what `eximacl status` shows: the resolver's counts, and each list that is at fault."""
        faults = {name: self._said(name) for name, fault in self._faults.items() if fault}
        return {**self._resolver.status(), "faults": faults}

    def _said(self, name: str) -> str:
        if self._resolver.unanswered and self._faults.get(name) is NOT_TRIED:
            return NO_SERVER
        return self.list_fault(name)

    def problems(self) -> list[str]:
        """Return a line, for the admin, about the DNS lists and each name server that are not used at the moment."""
        status = self.status()
        return [
            *_lines(status["faults"]),
            *(f"the DNS list {zone} does not answer" for zone in status["zones_left_alone"]),
            *(f"the name server {server} does not answer" for server in status["servers_left_alone"]),
        ]

    def close(self) -> None:
        """Stop asking. Twice is harmless."""
        self._resolver.close()


def _fault(listed: Sequence[Records | Unknown], clean: Records | Unknown) -> str | None:
    """Return the fault that the answers of a probe show: empty, none; None, they show nothing.

    clean: must not be a listing. listed: each must be one.
    """
    if is_listed(clean):
        return LISTS_ALL
    for found in (*listed, clean):
        if isinstance(found, Unknown) or any(map(is_error, found)):
            return None
    return "" if all(map(is_listed, listed)) else LISTS_NOTHING


def _cause(asked: Sequence[tuple[str, RecordKind]], answers: Answered) -> str:
    """Return why a probe shows nothing, from the first of its answers that does not: `SERVFAIL from … about A of …`."""
    for (name, _), found in zip(asked, answers, strict=True):
        if isinstance(found, Unknown):
            return found.detail.removeprefix("DNS: ")
        if errors := [address for address in found if is_error(address)]:
            return f"it answers with the error {errors[0]} about A of {name}"
    return ""


def _lines(faults: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each fault, with the names of all lists that have it: one name server fails them all alike."""
    alike: dict[str, list[str]] = {}
    for name, fault in faults.items():
        alike.setdefault(fault.partition(" about A of ")[0], []).append(name)
    for names in alike.values():
        why = ", each because" if len(names) > 1 else ":"
        yield f"{_lists_are(names)} not used{why} {faults[names[0]]}"


def _lists_are(names: Sequence[str]) -> str:
    return f"the DNS list {names[0]} is" if len(names) == 1 else f"the DNS lists {', '.join(names)} are"


def is_listed(found: Records | Unknown) -> bool:
    """Return whether a DNS list's answer holds a listing."""
    return not isinstance(found, Unknown) and any(map(is_listing, found))
