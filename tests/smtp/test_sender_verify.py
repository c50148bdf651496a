"""`resolvable_sender` against Exim's own `verify = sender` on Debian: the same zone, the same senders, one verdict.

Exim is asked by `exim -bvs`, which verifies an address as a sender; its exit status is 0 where it is good, 2 where it
is not, and 1 where that cannot be said now (Exim specification, -bv).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eximacl.check import Hit, Networks, Unknown
from eximacl.checks.resolvable_sender import NOT_PUBLIC, Options, resolvable_sender
from eximacl.testing import SERVFAIL, Dns, outcome_of, query
from tests.lab import Lab, Names, Site, replies
from tests.lab.site import BY_DNS

GOOD, UNKNOWN, BAD = 0, 1, 2
FAULT = "SERVFAIL"
OPTIONS = Options(ignored=Networks(NOT_PUBLIC))
# In the letters of a zone: a name stands for `NAME.sender.example`, without one for `sender.example` itself.
ROWS: list[tuple[str, str, int]] = [
    ("an MX", "x MX 10 m.x\nm.x A 192.0.2.7", GOOD),
    ("an MX with an IPv6 address only", "x MX 10 m.x\nm.x AAAA 2001:db8::7", GOOD),
    ("two, of which one exists", "x MX 10 gone.x, 20 m.x\nm.x A 192.0.2.7", GOOD),
    ("two, of which one is private", "x MX 10 p.x, 20 m.x\np.x A 10.1.2.3\nm.x A 192.0.2.7", GOOD),
    ("one, with a private address and another", "x MX 10 m.x\nm.x A 10.1.2.3, 192.0.2.7", GOOD),
    ("two, of which one fails", "x MX 10 f.x, 20 m.x\nf.x A SERVFAIL\nf.x AAAA SERVFAIL\nm.x A 192.0.2.7", GOOD),
    ("no MX, but an address", "x A 192.0.2.7", GOOD),
    ("no MX, but an IPv6 address", "x AAAA 2001:db8::7", GOOD),
    ("a null MX", "x MX 0 .", BAD),
    ("a null MX, and an address", "x MX 0 .\nx A 192.0.2.7", BAD),
    ("nothing", "", BAD),
    ("an MX to itself, that exists", "x MX 10 x\nx A 192.0.2.7", GOOD),
    ("an MX that does not exist", "x MX 10 gone.x", BAD),
    ("an MX without an address", "x MX 10 m.x\nm.x TXT hello", BAD),
    ("an MX that does not exist, and an address of its own", "x MX 10 gone.x\nx A 192.0.2.7", BAD),
    ("an MX to ourselves", "x MX 10 m.x\nm.x A 127.0.0.1", BAD),
    ("an MX to nowhere", "x MX 10 m.x\nm.x A 0.0.0.0", BAD),
    ("an MX in 192.168/16", "x MX 10 m.x\nm.x A 192.168.1.2", BAD),
    ("an MX in 172.16/12", "x MX 10 m.x\nm.x A 172.20.1.2", BAD),
    ("an MX in 10/8", "x MX 10 m.x\nm.x A 10.1.2.3", BAD),
    ("an MX in 169.254/16", "x MX 10 m.x\nm.x A 169.254.1.2", BAD),
    ("an MX to everybody", "x MX 10 m.x\nm.x A 255.255.255.255", BAD),
    ("an MX to ::1", "x MX 10 m.x\nm.x AAAA ::1", BAD),
    ("an MX in fc00::/7", "x MX 10 m.x\nm.x AAAA fd00::1", BAD),
    ("an MX in fe80::/10", "x MX 10 m.x\nm.x AAAA fe80::1", BAD),
    ("an MX in 100::/64", "x MX 10 m.x\nm.x AAAA 100::1", BAD),
    ("a lone address in 10/8", "x A 10.1.2.3", BAD),
    ("a lone address 127.0.0.1", "x A 127.0.0.1", BAD),
    ("an IP address as MX", "x MX 10 192.0.2.7", BAD),
    ("an IP address as MX, and another", "x MX 10 192.0.2.7, 20 m.x\nm.x A 192.0.2.7", GOOD),
    ("MX fails", "x MX SERVFAIL\nx A 192.0.2.7", UNKNOWN),
    ("its address fails", "x A SERVFAIL\nx AAAA SERVFAIL", UNKNOWN),
    ("the MX's address fails", "x MX 10 m.x\nm.x A SERVFAIL\nm.x AAAA SERVFAIL", UNKNOWN),
    ("the MX's only address fails", "x MX 10 m.x\nm.x A SERVFAIL", UNKNOWN),
    ("one fails, one is private", "x MX 10 f.x, 20 p.x\nf.x A SERVFAIL\nf.x AAAA SERVFAIL\np.x A 10.1.2.3", UNKNOWN),
    ("one fails, one is gone", "x MX 10 f.x, 20 gone.x\nf.x A SERVFAIL\nf.x AAAA SERVFAIL", UNKNOWN),
]
Records = dict[tuple[str, str], list[str] | None]


def domain(number: int) -> str:
    return f"s{number}.sender.example"


def zone(number: int, text: str) -> Records:
    """Return a row's records; None: the server fails."""

    def name(short: str) -> str:
        return f"{short.removesuffix('x')}{domain(number)}" if short == "x" or short.endswith(".x") else short

    found: Records = {}
    for line in text.splitlines():
        owner, kind, answer = line.split(None, 2)
        records = [" ".join(map(name, one.split())) for one in answer.split(", ")]
        found[name(owner), kind] = None if answer == FAULT else records
    return found


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    names = Names()
    for number, (_, text, _) in enumerate(ROWS):
        for (owner, kind), records in zone(number, text).items():
            dotted = [f"{one}." if kind == "MX" and not one.endswith(".") else one for one in records or ()]
            names.learn({(owner, kind): replies.SERVFAIL if records is None else dotted})
    with names, Lab(Site(outside=BY_DNS), names=names) as lab:
        yield lab


CASES = [pytest.param(number, row, id=row[0]) for number, row in enumerate(ROWS)]


@pytest.mark.parametrize(("number", "row"), CASES)
def test_exim_says_so(lab: Lab, number: int, row: tuple[str, str, int]) -> None:
    try:
        lab.run("/usr/sbin/exim4", "-bvs", f"a@{domain(number)}")
        status = GOOD
    except RuntimeError as error:
        status = int(str(error).partition(" exited ")[2][0])
    assert status == row[2]


@pytest.mark.parametrize(("number", "row"), CASES)
def test_the_check_says_the_same(number: int, row: tuple[str, str, int]) -> None:
    names = Dns({key: SERVFAIL if records is None else records for key, records in zone(number, row[1]).items()})
    outcome = outcome_of(resolvable_sender, query(from_=f"a@{domain(number)}"), OPTIONS, dns=names)
    found = BAD if isinstance(outcome, Hit) else UNKNOWN if isinstance(outcome, Unknown) else GOOD
    assert found == row[2]
