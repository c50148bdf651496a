"""Hosts and clients: names, addresses, networks and patterns in one list, written as other programs' lists are."""

from __future__ import annotations

import pytest

from eximacl.mail.host_lists import Clients, Hosts

NAMES = ["example.net", "*.example.com", ".example.org", r"/^mail\d+\.isp\.example$/", "Bücher.example", "/^mta[12]_/"]
MATCHES = [
    ("example.net", "example.net"),
    ("mx.example.net", "example.net"),
    ("MX.Example.NET.", "example.net"),
    ("notexample.net", None),
    ("mx.example.com", "example.com"),
    ("example.com", "example.com"),
    ("mx.example.org", "example.org"),
    ("mail12.isp.example", r"/^mail\d+\.isp\.example$/"),
    ("MAIL12.ISP.EXAMPLE.", r"/^mail\d+\.isp\.example$/"),
    ("mail.isp.example", None),
    ("x.bücher.example", "xn--bcher-kva.example"),
    ("mta1_x", "/^mta[12]_/"),
    ("", None),
    ("\udcff", None),
    ("a" * 100_000, None),
]


@pytest.mark.parametrize(("name", "entry"), MATCHES, ids=[repr(name[:30]) for name, _ in MATCHES])
def test_hosts(name: str, entry: str | None) -> None:
    assert Hosts(NAMES).match(name) == entry


# As postgrey's and sqlgrey's own lists have them.
CLIENTS = [
    "southwest.example",
    "*.amazon.example",
    r"/^s[cv]\d+pub\.verizon\.example$/",
    "/^odk.fdv.uni-lj.example$/",
    "192.0.2.77",
    "195.235.39",
    "64.12",
    "51.4.80.0/27",
    "2001:db8:4051:0800::/64",
    "2001:db8::7",
    "::ffff:203.0.113.0/120",
]
COVERED = [
    ("192.0.2.77", "", "192.0.2.77"),
    ("192.0.2.78", "", None),
    ("::ffff:192.0.2.77", "", "::ffff:192.0.2.77"),
    ("195.235.39.200", "", "195.235.39.200"),
    ("195.235.40.1", "", None),
    ("64.12.255.1", "", "64.12.255.1"),
    ("51.4.80.31", "", "51.4.80.31"),
    ("51.4.80.32", "", None),
    ("2001:db8:4051:800::25", "", "2001:db8:4051:800::25"),
    ("2001:db8::7", "", "2001:db8::7"),
    ("203.0.113.9", "", "203.0.113.9"),
    ("198.51.100.1", "mx.southwest.example", "southwest.example"),
    ("198.51.100.1", "Mx.Amazon.Example", "amazon.example"),
    ("198.51.100.1", "sc12pub.verizon.example", r"/^s[cv]\d+pub\.verizon\.example$/"),
    ("198.51.100.1", "odk-fdv.uni-lj.example", "/^odk.fdv.uni-lj.example$/"),
    ("198.51.100.1", "192.0.2.77", None),
    ("198.51.100.1", "", None),
    ("", "mx.southwest.example", "southwest.example"),
    ("", "", None),
]


@pytest.mark.parametrize(("ip", "host", "entry"), COVERED)
def test_clients(ip: str, host: str, entry: str | None) -> None:
    assert Clients(CLIENTS).match(ip, host) == entry


@pytest.mark.parametrize(
    ("kind", "entry", "why"),
    [
        (Hosts, "mx example.net", "is not a domain name"),
        (Hosts, "192.0.2.7", "is not a domain name"),
        (Hosts, "a@example.net", "is not a domain name"),
        (Hosts, "mx*.example.net", r"write a pattern between slashes: /\^mx\.\*\\.example\\.net\$/$"),
        (Hosts, "*.mx*.example.net", r"no wildcards; write a pattern"),
        (Clients, "mail-*.x", r"write a pattern between slashes: /\^mail-\.\*\\.x\$/$"),
        (Clients, "192.0.2.*", r"no wildcards; write a pattern"),
        (Hosts, "/^mx", "must end with one"),
        (Hosts, "/^mx/ note", "has something after its pattern"),
        (Hosts, "/(mx/", "does not compile"),
        (Hosts, "/.*/", "matches every text"),
        (Clients, "192.0.2.7/33", "is not an IP address or network"),
        (Clients, "192.0.2.300", "is not an IP address or network"),
        (Clients, "192.0.2.7/24", "is not an IP address or network"),
        (Clients, "300.1", "is not an IP address or network"),
        (Clients, "7", "is not an IP address or network"),
        (Clients, "a@example.net", "is not a domain name"),
        (Clients, "", "is not a domain name"),
    ],
)
def test_what_is_neither(kind: type[Hosts | Clients], entry: str, why: str) -> None:
    listed = kind(["example.net"])
    with pytest.raises(ValueError, match=why):
        listed.replace(["example.com", entry])
    assert len(listed) == 1


def test_sizes() -> None:
    assert (len(Hosts(NAMES)), len(Clients(CLIENTS))) == (len(NAMES), len(CLIENTS))
