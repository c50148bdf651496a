"""Addresses and names of hosts."""

from __future__ import annotations

import re

import pytest

from eximacl.mail.hosts import (
    NameServer,
    dns_name,
    ip_address,
    is_public_suffix,
    literal_address,
    parse_name_server,
    registrable_domain,
)

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
    ("[IPV6:2001:DB8::7]", "2001:db8::7"),
    ("[IPv6:2001:0db8:0:0:0:0:0:0007]", "2001:db8::7"),
    ("[2001:db8::7]", "2001:db8::7"),
    ("[2001:DB8:0::7]", "2001:db8::7"),
    ("[::ffff:192.0.2.7]", "192.0.2.7"),
    ("[IPv6:::ffff:c000:207]", "192.0.2.7"),
    ("[IPv6:64:ff9b::192.0.2.7]", "64:ff9b::c000:207"),
    ("[IPv6:fe80::7%eth0]", "fe80::7"),
    ("[IPv4:192.0.2.7]", "192.0.2.7"),
    ("[ 192.0.2.7 ]", "192.0.2.7"),
    ("[IPv6: 2001:db8::7]", "2001:db8::7"),
    ("[192.000.002.007]", "192.0.2.7"),
    ("[192.0.2.010]", "192.0.2.10"),
    ("[IPv6:::ffff:192.000.002.007]", "192.0.2.7"),
    ("[192.0.2.0007]", None),
    ("[192.0.2]", None),
    ("[3221225991]", None),
    ("[0xc0.0.2.7]", None),
    ("[192.0..7]", None),
    ("[192.0.2.\N{ARABIC-INDIC DIGIT SEVEN}]", None),
    ("[IPv6:2001:db8:::7]", None),
    ("[IPv6:]", None),
    ("[192.0.2.7 192.0.2.8]", None),
    ("[[192.0.2.7]]", None),
    ("[x-tag:192.0.2.7]", None),
    (f"[{'0' * 100_000}]", None),
    (f"[{' ' * 100_000}", None),
    ("192.0.2.7", None),
    ("[192.0.2.7", None),
    ("[]", None),
    ("[mx.example.net]", None),
    ("[IPv6:192.0.2.300]", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), LITERALS, ids=[repr(text[:40]) for text, _ in LITERALS])
def test_literal_address(text: str, expected: str | None) -> None:
    found = literal_address(text)
    assert (None if found is None else str(found)) == expected


NAME_SERVERS: dict[str, tuple[str, int] | None] = {
    "127.0.0.1": ("127.0.0.1", 53),
    "127.0.0.1:5353": ("127.0.0.1", 5353),
    "::1": ("::1", 53),
    "[::1]": ("::1", 53),
    "[::1]:5353": ("::1", 5353),
    "fe80::1%eth0": ("fe80::1%eth0", 53),
    "[::1:53]": ("::1:53", 53),
    "2620:fe::9": ("2620:fe::9", 53),
    "2620:119:35::35": ("2620:119:35::35", 53),
    "2001:4860:4860::8888": ("2001:4860:4860::8888", 53),
    "2001:db8::53:1": ("2001:db8::53:1", 53),
    "2001:db8::1:a053": ("2001:db8::1:a053", 53),
    "2001:db8:0:0:0:0:0:53": ("2001:db8:0:0:0:0:0:53", 53),
    "": None,
    "dns.example.org": None,
    "127.0.0.1:0": None,
    "127.0.0.1:65536": None,
    "127.0.0.1:x": None,
    "127.0.0.1:٣": None,
    "[::1": None,
    "[::1]x": None,
    "[::1]5353": None,
    "[]": None,
    "127.0.0.1:999999999999999999": None,
}


@pytest.mark.parametrize("text", NAME_SERVERS)
def test_name_servers(text: str) -> None:
    expected = NAME_SERVERS[text]
    if expected is None:
        with pytest.raises(ValueError, match="expected an IP address, or one with a port"):
            parse_name_server(text)
    else:
        assert parse_name_server(text) == NameServer(*expected)
        assert parse_name_server(str(parse_name_server(text))) == NameServer(*expected)


@pytest.mark.parametrize(
    ("ip", "port"), [("::1", "53"), ("::1", "5353"), ("2001:db8::7", "1053"), ("fe80::1%eth0", "53")]
)
def test_an_address_that_ends_as_if_in_a_port(ip: str, port: str) -> None:
    expected = f"did you mean [{ip}]:{port}? If it is the address, write [{ip}:{port}]"
    with pytest.raises(ValueError, match=re.escape(expected)):
        parse_name_server(f"{ip}:{port}")


NAME_SERVERS_SHOWN = {
    ("127.0.0.1", 53): "127.0.0.1",
    ("127.0.0.1", 5353): "127.0.0.1:5353",
    ("::1", 53): "[::1]:53",
    ("::1:53", 53): "[::1:53]:53",
}


@pytest.mark.parametrize("server", NAME_SERVERS_SHOWN)
def test_how_name_servers_are_shown(server: tuple[str, int]) -> None:
    assert str(NameServer(*server)) == NAME_SERVERS_SHOWN[server]


REGISTRABLE = [
    ("mail-a1.out.example.com", "example.com"),
    ("example.com", "example.com"),
    ("mx.example.co.uk", "example.co.uk"),
    ("a.b.example.com.br", "example.com.br"),
    ("mx.xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"),
    ("ec2-7.us-east-1.compute.amazonaws.com", "ec2-7.us-east-1.compute.amazonaws.com"),
    ("co.uk", ""),
    ("com", ""),
    ("mx.example.invalid", ""),
    ("localhost", ""),
    ("", ""),
    ("\udcff.example.com", "example.com"),
    ("..", ""),
    ("a" * 300, ""),
]


@pytest.mark.parametrize(("name", "domain"), REGISTRABLE, ids=[name[:40] or "empty" for name, _ in REGISTRABLE])
def test_registrable_domain(name: str, domain: str) -> None:
    assert registrable_domain(name) == domain


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("com", True),
        ("co.uk", True),
        ("github.io", True),
        ("nowhere-such", True),
        ("example.co.uk", False),
        ("steve.github.io", False),
        ("debian.org", False),
        ("partner.example", False),
    ],
)
def test_public_suffixes(name: str, public: bool) -> None:
    assert is_public_suffix(name) is public
