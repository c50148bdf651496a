"""Does DNS answer?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dns.exception
import dns.resolver

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.mail.hosts import parse_name_server

# A resolver that takes longer is as good as dead while a client waits.
DNS_SECONDS = 4.0


@diagnosis("system")
def names(case: Case) -> Iterator[Finding]:
    """The system's resolver answers, and each of dns.servers; `no such name` is an answer, too."""
    domain = case.recipient.rpartition("@")[2]
    why, asked = _fault(domain)
    if why:
        yield problem(
            f"DNS does not answer: {why}",
            "clients look as if they had no name, and checks that ask DNS find out nothing",
            "mend /etc/resolv.conf, or the resolver that it names",
        )
    else:
        yield ok(f"DNS answers ({', '.join(asked)})")
    yield from _own(domain, case.loaded.settings.dns.servers if case.loaded else ())


def _own(domain: str, servers: Sequence[str]) -> Iterator[Finding]:
    """Ask each server that the policy names."""
    dead = [server for server in servers if _fault(domain, server)[0]]
    if servers and len(dead) == len(servers):
        yield problem(
            f"no server of dns.servers answers: {', '.join(dead)}",
            "checks that ask DNS find out nothing",
            "mend the name server, or change [dns] servers in the policy ([] means: those of /etc/resolv.conf)",
        )
    elif dead:
        yield warning(
            f"of dns.servers does not answer: {', '.join(dead)}",
            "the daemon has to do with the others",
            "mend the name server, or take it out of [dns] servers in the policy",
        )
    elif servers:
        yield ok(f"each of dns.servers answers ({', '.join(servers)})")


def _fault(domain: str, server: str = "") -> tuple[str, list[str]]:
    """Ask a server, or the system's; return what is wrong, empty: nothing, and who was asked."""
    asked: list[str] = []
    try:
        resolver = dns.resolver.Resolver(configure=not server)
        if server:
            address = parse_name_server(server)
            resolver.nameservers, resolver.port = [address.ip], address.port
        asked = [str(each) for each in resolver.nameservers]
        resolver.resolve(f"{domain}.", "MX", lifetime=DNS_SECONDS, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        pass
    except dns.exception.DNSException as error:
        return str(error), asked
    return "", asked
