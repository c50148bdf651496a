"""Lists in DNS: an address's labels, and which answers are listings or errors."""

from __future__ import annotations

import ipaddress

import pytest

from eximacl.mail.dns_lists import is_error, is_listing, list_labels, parse_codes


def test_list_labels() -> None:
    assert list_labels(ipaddress.IPv4Address("192.0.2.7")) == "7.2.0.192"
    nibbles = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
    assert list_labels(ipaddress.IPv6Address("2001:db8::7")) == nibbles


@pytest.mark.parametrize(
    ("answer", "listing", "error"),
    [
        ("127.0.0.1", True, False),
        ("127.255.254.255", True, False),
        ("127.255.255.0", False, True),
        ("127.255.255.255", False, True),
        ("126.255.255.255", False, False),
        ("192.0.2.80", False, False),
    ],
)
def test_listings_and_errors(answer: str, listing: bool, error: bool) -> None:
    assert (is_listing(answer), is_error(answer)) == (listing, error)


CODES = [
    ("127.0.0.2", "127.0.0.2", "127.0.0.1 127.0.0.3 192.0.2.1"),
    ("127.0.0.2-127.0.0.11", "127.0.0.2 127.0.0.11", "127.0.0.1 127.0.0.12 127.0.1.5"),
    ("127.0.0.250-127.0.1.3", "127.0.0.250 127.0.0.255 127.0.1.0 127.0.1.3", "127.0.0.249 127.0.1.4"),
    ("127.0.0.2-127.0.0.2", "127.0.0.2", "127.0.0.3"),
    ("127.0.0.0/24", "127.0.0.0 127.0.0.255", "127.0.1.0 126.255.255.255"),
    ("127.0.0.0/8", "127.0.0.1 127.254.0.1 127.255.254.255", "127.255.255.0 127.255.255.255 128.0.0.0"),
    ("127.0.*.1-3", "127.0.0.1 127.0.255.3 127.0.7.2", "127.0.0.0 127.0.0.4 127.1.0.1"),
    ("127.0.0.2-11", "127.0.0.2 127.0.0.11", "127.0.0.1 127.0.0.12"),
    ("127.*.*.*", "127.0.0.0 127.255.254.255", "127.255.255.1"),
    ("127.1-2.0.5", "127.1.0.5 127.2.0.5", "127.0.0.5 127.3.0.5"),
]


@pytest.mark.parametrize(("codes", "inside", "outside"), CODES)
def test_which_answers_codes_cover(codes: str, inside: str, outside: str) -> None:
    parsed = parse_codes(codes)
    assert all(map(parsed.covers, inside.split()))
    assert not any(map(parsed.covers, outside.split()))


@pytest.mark.parametrize(
    "codes",
    [
        "", "2", "127.0.0", "127.0.0.256", "127.0.0.2-", "-127.0.0.2", "127.0.0.3-127.0.0.2", "192.0.2.1",
        "126.255.255.255-127.0.0.2", "127.0.0.2-128.0.0.1", "127.0.0.2/24", "126.0.0.0/7", "127.0.0.3-2", "*.0.0.2",
        "127.0.0.1-256", "127.0.0.*-127.0.0.4", "127.0.0.2-127.0.0.4-127.0.0.6", "::1", "127.0.0.2 ", "127.0.0.٢",
    ],
)  # fmt: skip
def test_what_is_not_a_code(codes: str) -> None:
    with pytest.raises(ValueError, match=r"expected an address \(127.0.0.2\), a range .*, all within 127.0.0.0/8"):
        parse_codes(codes)


@pytest.mark.parametrize(
    "codes", ["127.255.255.254", "127.255.255.0/24", "127.255.255.*", "127.255.255.1-127.255.255.9"]
)
def test_errors_are_not_codes(codes: str) -> None:
    with pytest.raises(ValueError, match=r"lists report errors by 127\.255\.255\.0/24, so these are never a listing"):
        parse_codes(codes)
