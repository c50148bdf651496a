"""Addresses and domain names: one canonical form, made once."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.mail.address import (
    MAX_NAME_CHARACTERS,
    NULL_SENDER,
    Address,
    canonical_domain,
    is_mailbox,
    parents,
    parse_address,
    parse_quoted,
    quoted,
    unquote,
    without_brackets,
    without_tag,
)

ADDRESSES = [
    ("plain", "steve@example.org", Address("steve", "example.org")),
    ("domain is made canonical, localpart stays", "Steve@Example.ORG.", Address("Steve", "example.org")),
    ("last @ counts", "a@b@example.org", Address("a@b", "example.org")),
    ("no domain", "steve", Address("steve", "")),
    ("empty domain", "steve@", Address("steve", "")),
    ("only a domain", "@example.org", Address("", "example.org")),
    ("null sender", "", NULL_SENDER),
    ("address literal", "a@[192.0.2.7]", Address("a", "[192.0.2.7]")),
]


@pytest.mark.parametrize(("text", "address"), [row[1:] for row in ADDRESSES], ids=[row[0] for row in ADDRESSES])
def test_parse_address(text: str, address: Address) -> None:
    assert parse_address(text) == address


def test_an_address_is_written_as_it_is_read() -> None:
    assert str(Address("steve", "example.org")) == "steve@example.org"
    assert str(Address("steve", "")) == "steve"
    assert str(NULL_SENDER) == ""
    assert NULL_SENDER.is_null
    assert not Address("steve", "").is_null
    assert not Address("", "example.org").is_null


DOMAINS = [
    ("lower case", "MX.Example.ORG", "mx.example.org"),
    ("trailing dot", "example.org.", "example.org"),
    ("empty", "", ""),
    ("the root", ".", ""),
    ("U-labels", "пример.рф", "xn--e1afmkfd.xn--p1ai"),
    ("U-labels in upper case", "ПРИМЕР.РФ", "xn--e1afmkfd.xn--p1ai"),
    ("A-labels in upper case", "XN--E1AFMKFD.XN--P1AI", "xn--e1afmkfd.xn--p1ai"),
    ("mixed", "mx.пример.org", "mx.xn--e1afmkfd.org"),
    ("underscore", "_dmarc.Example.org", "_dmarc.example.org"),
    ("a label that IDNA refuses leaves the others", "ä" * 70 + ".рф", "ä" * 70 + ".xn--p1ai"),
    ("empty label beside U-labels", "a..рф", "a..xn--p1ai"),
    ("8-bit that is not text", "\udcff.рф", "\udcff.xn--p1ai"),
    ("dot of another script at the end", "sa\u2024", "sa"),
    ("too long for a name", "ä." * MAX_NAME_CHARACTERS, ("ä." * MAX_NAME_CHARACTERS).rstrip(".")),
]


@pytest.mark.parametrize(("name", "canonical"), [row[1:] for row in DOMAINS], ids=[row[0] for row in DOMAINS])
def test_canonical_domain(name: str, canonical: str) -> None:
    assert canonical_domain(name) == canonical


@given(st.text(max_size=40) | st.text(alphabet="aÄß.\u2024\u3002x-", max_size=20))
def test_canonical_is_canonical_again(name: str) -> None:
    assert canonical_domain(canonical_domain(name)) == canonical_domain(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mx.example.org", ["mx.example.org", "example.org", "org"]), ("org", ["org"]), ("", [])],
)
def test_parents(name: str, expected: list[str]) -> None:
    assert list(parents(name)) == expected


@pytest.mark.parametrize(
    ("quoted", "localpart"),
    [
        ("steve", "steve"),
        ('"a b"', "a b"),
        ('"a\\"b"', 'a"b'),
        ("a\\,b", "a,b"),
        ('"a\\\\"', "a\\"),
        ("a\\", "a\\"),
        ("", ""),
    ],
)
def test_unquote(quoted: str, localpart: str) -> None:
    assert unquote(quoted) == localpart


TAGS = [
    ("a tag", "steve+tag", "+", "steve"),
    ("no tag", "steve", "+", "steve"),
    ("no separators", "steve+tag", "", "steve+tag"),
    ("the first of several", "a-b+c", "+-", "a"),
    ("in whatever order", "a+b-c", "-+", "a"),
    ("one at the start is none", "+steve", "+", "+steve"),
    ("but the next one is", "+steve+tag", "+", "+steve"),
    ("empty tag", "steve+", "+", "steve"),
    ("empty", "", "+", ""),
]


@pytest.mark.parametrize(("localpart", "separators", "name"), [row[1:] for row in TAGS], ids=[row[0] for row in TAGS])
def test_without_tag(localpart: str, separators: str, name: str) -> None:
    assert without_tag(localpart, separators) == name


QUOTED = [
    ("steve@example.org", Address("steve", "example.org")),
    ("steve", Address("steve", "")),
    ("", NULL_SENDER),
    ("b.c+d@example.org", Address("b.c+d", "example.org")),
    ("hyvä@example.org", Address("hyvä", "example.org")),
    ('""@example.org', Address("", "example.org")),
    ('"a b"@example.org', Address("a b", "example.org")),
    ('"a..b"@example.org', Address("a..b", "example.org")),
    ('"a@b"@example.org', Address("a@b", "example.org")),
    ('"\\"a\\\\"@example.org', Address('"a\\', "example.org")),
    (
        '"\\"a\\"@example.org, b@example.com, \\"c\\""@example.org',
        Address('"a"@example.org, b@example.com, "c"', "example.org"),
    ),
]


@pytest.mark.parametrize(("text", "address"), QUOTED)
def test_an_address_as_smtp_writes_it(text: str, address: Address) -> None:
    assert quoted(address) == text
    assert parse_quoted(text) == address
    assert is_mailbox(text) is bool(address.domain)


@given(st.text(st.characters().filter(lambda char: unicodedata.category(char) != "Cc"), min_size=1))
def test_any_localpart_is_one_address(localpart: str) -> None:
    text = quoted(Address(localpart, "example.org"))
    assert is_mailbox(text)
    assert parse_quoted(text) == Address(localpart, "example.org")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nobody",
        "a b@c",
        "@example.org",
        "a@",
        "a@b c",
        "a@b, c@d",
        "<a@b>",
        '"a@b',
        '"a"b@c',
        "a\n@b",
        '"a\n"@b',
        "a@[b c]",
    ],
)
def test_what_is_no_mailbox(text: str) -> None:
    assert not is_mailbox(text)


def test_an_address_literal_is_one() -> None:
    assert is_mailbox("a@[IPv6:2001:db8::7]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a@example.org", "a@example.org", id="none"),
        pytest.param(" <a@example.org>\n", "a@example.org", id="brackets and blanks"),
        pytest.param("< a@example.org >", "a@example.org", id="blanks inside"),
        pytest.param("<>", "", id="null sender"),
        pytest.param("", "", id="empty"),
        pytest.param("<a@example.org", "<a@example.org", id="one bracket"),
        pytest.param("Ann <a@example.org>", "Ann <a@example.org>", id="a name before it"),
    ],
)
def test_without_brackets(text: str, expected: str) -> None:
    assert without_brackets(text) == expected
