"""Does DNS answer?"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterator, Sequence

from eximacl.dns import Resolver
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.policy.outcome import Unknown

# A resolver that takes longer is as good as dead while a client waits.
DNS_SECONDS = 4.0


@diagnosis("system")
def names(case: Case) -> Iterator[Finding]:
    """The system's name servers answer the daemon's resolver, and so does each of dns.servers.

    That a name does not exist is an answer, too.
    """
    domain = case.recipient.rpartition("@")[2]
    fault, asked = asyncio.run(_ask(domain))
    if fault:
        yield problem(
            f"DNS does not answer: {fault}",
            "clients seem to have no name, and checks that ask DNS find out nothing",
            "mend /etc/resolv.conf, or the resolver that it names",
        )
    else:
        yield ok(f"DNS answers ({', '.join(asked)})")
    yield from _own(domain, case.loaded.settings.dns.servers if case.loaded else ())


def _own(domain: str, servers: Sequence[str]) -> Iterator[Finding]:
    """Ask each server that the policy names."""
    dead = [server for server in servers if asyncio.run(_ask(domain, server))[0]]
    if servers and len(dead) == len(servers):
        yield problem(
            f"none of dns.servers answers: {', '.join(dead)}",
            "checks that ask DNS find out nothing",
            "mend the name server, or change [dns] servers in the policy ([] means: those of /etc/resolv.conf)",
        )
    elif dead:
        yield warning(
            f"some of dns.servers do not answer: {', '.join(dead)}",
            "the daemon asks only the others",
            "mend the name server, or remove it from [dns] servers in the policy",
        )
    elif servers:
        yield ok(f"each of dns.servers answers ({', '.join(servers)})")


async def _ask(domain: str, *servers: str) -> tuple[str, list[str]]:
    """Ask these servers, or the system's; return what is wrong (empty: nothing), and who was asked."""
    resolver = Resolver(servers)
    try:
        found = resolver.lookup(domain, "MX", time.monotonic() + DNS_SECONDS)
        answer = await found if inspect.isawaitable(found) else found
    finally:
        resolver.close()
    return answer.detail if isinstance(answer, Unknown) else "", resolver.status()["servers"]
