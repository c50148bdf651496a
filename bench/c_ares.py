"""What c-ares (aiodns) makes of answers that must not be taken for "there is no such name", beside eximacl.dns.

A check may refuse mail for good because a name does not exist, so absence needs proof; see docs/dns.md. It needs root,
and aiodns, of whatever version: `pip install aiodns && python -m bench.c_ares`, or Debian's python3-aiodns.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset

from eximacl.dns import Resolver
from eximacl.policy.outcome import Unknown
from tests.lab import replies
from tests.lab.names import Names
from tests.lab.replies import Answer, Reply

NAME, OTHER = "www.example.org", "other.example.org"
SOA = "ns.example.org. root.example.org. 1 7200 900 1209600 30"
# What hangs is given up; an answer on this machine takes a millisecond.
SECONDS = 0.5


class Row(NamedTuple):
    """A server's behaviour. expected: what our resolver makes of it. zone: what it says about NAME, by kind."""

    expected: str
    zone: dict[str, Answer]
    kind: str = "A"

    def names(self) -> Names:
        """Start the server."""
        return Names({(OTHER, "A"): ADDRESS, **{(NAME, kind): answer for kind, answer in self.zone.items()}})


def changed(change: Callable[[dns.message.Message], object]) -> Reply:
    """Answer with a message that `change` has worked on."""

    def lie(wire: bytes) -> Sequence[bytes]:
        made = dns.message.from_wire(wire)
        change(made)
        return [made.to_wire()]

    return Reply(lie=lie)


def authority(owner: str, kind: str, text: str) -> Callable[[dns.message.Message], object]:
    """Make this the only record of a message."""

    def change(made: dns.message.Message) -> None:
        made.authority = [dns.rrset.from_text(owner, 300, "IN", kind, text)]

    return change


def without_proof(made: dns.message.Message) -> None:
    """Make it the answer of a server that neither knows nor looks it up."""
    made.authority = []
    made.flags &= ~dns.flags.RA


def extended(made: dns.message.Message) -> None:
    """Make it an error that only EDNS can express."""
    made.use_edns(0)
    made.set_rcode(dns.rcode.BADVERS)


ADDRESS = ["192.0.2.1"]
FOUND, UNKNOWN, NO_ANSWER = "192.0.2.1, 60 s", "unknown", "no answer"
ROWS: dict[str, Row] = {
    "an honest answer": Row(FOUND, {"A": ADDRESS}),
    "NXDOMAIN with records": Row(UNKNOWN, {"A": Reply(ADDRESS, rcode="NXDOMAIN")}),
    "a referral": Row(UNKNOWN, {"A": changed(authority("example.org.", "NS", "ns.example.org."))}),
    "the SOA of another zone": Row(UNKNOWN, {"A": changed(authority("example.com.", "SOA", SOA))}),
    "nothing, from a server without recursion": Row(UNKNOWN, {"A": changed(without_proof)}),
    "BADVERS": Row(UNKNOWN, {"A": changed(extended)}),
    "aliases in a loop": Row(UNKNOWN, {"CNAME": [f"{NAME}."]}),
    "an alias that the server does not follow": Row(FOUND, {"CNAME": Reply([f"{OTHER}."], follow=False)}),
    "truncated over TCP, too": Row(UNKNOWN, {"A": Reply(ADDRESS, lie=replies.truncated)}),
    "the query sent back, with records": Row(NO_ANSWER, {"A": Reply(ADDRESS, lie=replies.not_a_response)}),
    "an empty packet before the answer": Row(FOUND, {"A": Reply(ADDRESS, lie=lambda wire: [b"", wire])}),
    "5 bytes before the answer": Row(FOUND, {"A": Reply(ADDRESS, lie=lambda wire: [wire[:5], wire])}),
    "a name with a space": Row(r"a\032b.example.org, 60 s", {"PTR": [r"a\032b.example.org."]}, "PTR"),
    "for how long an MX holds (60 s)": Row("10 mx.example.org, 60 s", {"MX": ["10 mx.example.org."]}, "MX"),
    "for how long absence holds (30 s)": Row("absent, 30 s", {"A": replies.NXDOMAIN}),
}


async def ours(names: Names, kind: str) -> str:
    """Ask by our resolver; say what came of it."""
    passed = 0.0
    resolver = Resolver([names.address], clock=lambda: time.monotonic() + passed)
    waiting = resolver.lookup(NAME, kind, time.monotonic() + SECONDS)
    found = waiting if isinstance(waiting, (tuple, Unknown)) else await waiting
    if isinstance(found, Unknown):
        resolver.close()
        return "no answer" if "within the query's time" in found.detail else "unknown"
    while not isinstance(resolver.lookup(NAME, kind, 0), Unknown):  # as long as its cache knows it
        passed += 1
    resolver.close()
    return f"{' '.join(found) or 'absent'}, {passed:g} s"


async def c_ares(names: Names, kind: str) -> str:
    """Ask by aiodns; say what came of it."""
    aiodns = importlib.import_module("aiodns")
    edns = 1 << 8  # ARES_FLAG_EDNS, which pycares 4 has no name for
    resolver = aiodns.DNSResolver([names.address], timeout=SECONDS, tries=1, flags=edns)
    ask = getattr(resolver, "query_dns", None) or resolver.query
    try:
        found = await asyncio.wait_for(ask(NAME, kind), SECONDS)
    except aiodns.error.DNSError as error:
        absent = error.args[0] in (aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA)
        return "absent, and nothing about how long" if absent else f"error: {error.args[1]}"
    except TimeoutError:
        return "no answer"
    return shown(found)


def shown(found: Any) -> str:
    """Say what aiodns has found: in version 4 `answer` holds records; before, it is a list of results, or one."""
    if hasattr(found, "answer"):
        texts = [f"{' '.join(map(str, vars(each.data).values()))}, {each.ttl} s" for each in found.answer]
    else:
        results = found if isinstance(found, list) else [found]
        texts = [f"{getattr(each, 'host', None) or each.name}, {each.ttl} s" for each in results]
    return f"{texts[0]} (and {len(texts) - 1} more)" if texts[1:] else texts[0] if texts else "no record"


def measure() -> Iterator[str]:
    """Yield a line for each row."""
    yield f"{'':42}{'eximacl.dns':30}c-ares"
    for title, row in ROWS.items():
        with row.names() as names:
            outcomes = [asyncio.run(ask(names, row.kind)) for ask in (ours, c_ares)]
        yield f"{title:42}{outcomes[0]:30}{outcomes[1]}"


if __name__ == "__main__":
    for line in measure():
        print(line, flush=True)
