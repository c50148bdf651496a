"""Does DNS answer?"""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.resolver

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem

# A resolver that takes longer is as good as dead while a client waits.
DNS_SECONDS = 4.0


@diagnosis("system")
def names(case: Case) -> Iterator[Finding]:
    """The system's resolver answers; `no such name` is an answer, too."""
    domain = case.recipient.rpartition("@")[2]
    try:
        resolver = dns.resolver.Resolver()
        resolver.resolve(f"{domain}.", "MX", lifetime=DNS_SECONDS, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        pass
    except dns.exception.DNSException as error:
        yield problem(
            f"DNS does not answer: {error}",
            "clients look as if they had no name, and checks that ask DNS find out nothing",
            "mend /etc/resolv.conf, or the resolver that it names",
        )
        return
    yield ok(f"DNS answers ({', '.join(str(server) for server in resolver.nameservers)})")
