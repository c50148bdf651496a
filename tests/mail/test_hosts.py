"""Addresses and names as they come over the wire: what is none is None, and nothing raises."""

from __future__ import annotations

import ipaddress

import pytest

from eximacl.mail.hosts import dns_name, ip_address, list_labels, literal_address

ADDRESSES = [
    ("192.0.2.7", "192.0.2.7"),
    ("2001:db8::7", "2001:db8::7"),
    ("2001:DB8:0:0::7", "2001:db8::7"),
    ("::ffff:192.0.2.7", "192.0.2.7"),
    ("fe80::7%eth0", "fe80::7"),
    ("", None),
    ("192.0.2", None),
    ("192.0.2.256", None),
    ("192.0.2.007", None),
    ("192.0.2.7 ", None),
    ("mx.example.net", None),
    ("\udcff", None),
    ("192.0.2.7\x00", None),
]


@pytest.mark.parametrize(("text", "expected"), ADDRESSES)
def test_ip_address(text: str, expected: str | None) -> None:
    found = ip_address(text)
    assert (None if found is None else str(found)) == expected


NAMES = [
    ("mx.example.net", "mx.example.net"),
    ("MX.Example.Net.", "mx.example.net"),
    ("localhost", "localhost"),
    ("mx_1.example.net", "mx_1.example.net"),
    ("_dmarc.example.net", "_dmarc.example.net"),
    ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
    ("1and1.example", "1and1.example"),
    ("7.2.0.192.bl.example", "7.2.0.192.bl.example"),
    ("a" * 63 + ".example", "a" * 63 + ".example"),
    ("a" * 64 + ".example", None),
    (".".join(["abcdefghi"] * 25) + ".abc", ".".join(["abcdefghi"] * 25) + ".abc"),
    (".".join(["abcdefghi"] * 25) + ".abcd", None),
    ("", None),
    (".", None),
    ("mx..example.net", None),
    (".example.net", None),
    ("-mx.example.net", None),
    ("mx-.example.net", None),
    ("mx example.net", None),
    ("mx.example.net\n", None),
    ("mx\0.example.net", None),
    ("192.0.2.7", None),
    ("[192.0.2.7]", None),
    ("2001:db8::7", None),
    ("*.example.net", None),
    ("\udcff.example.net", None),
    ("ex\u2028ample.net", None),
    ("a" * 100_000, None),
    ("." * 100_000, None),
]


@pytest.mark.parametrize(("text", "expected"), NAMES, ids=[repr(text[:30]) for text, _ in NAMES])
def test_dns_name(text: str, expected: str | None) -> None:
    assert dns_name(text) == expected


LITERALS = [
    ("[192.0.2.7]", "192.0.2.7"),
    ("[IPv6:2001:db8::7]", "2001:db8::7"),
    ("[ipv6:2001:db8::7]", "2001:db8::7"),
    ("[IPv6:::ffff:192.0.2.7]", "192.0.2.7"),
    ("[2001:db8::7]", None),
    ("192.0.2.7", None),
    ("[192.0.2.7", None),
    ("[]", None),
    ("[mx.example.net]", None),
    ("[IPv6:192.0.2.300]", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), LITERALS)
def test_literal_address(text: str, expected: str | None) -> None:
    found = literal_address(text)
    assert (None if found is None else str(found)) == expected


def test_list_labels() -> None:
    assert list_labels(ipaddress.IPv4Address("192.0.2.7")) == "7.2.0.192"
    nibbles = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
    assert list_labels(ipaddress.IPv6Address("2001:db8::7")) == nibbles
