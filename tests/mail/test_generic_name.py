"""Names that hold the address of their host, and honest names that hold some of its digits."""

from __future__ import annotations

import ipaddress

import pytest

from eximacl.mail.generic_name import holds_address

V4, V6 = "192.0.2.7", "2001:db8:12:a0::1:f00d"
NIBBLES = "20010db8001200a0000000000001f00d"
HELD = [
    (V4, "192-0-2-7.example.net"),
    (V4, "192.0.2.7.example.net"),
    (V4, "7.2.0.192.example.net"),
    (V4, "host-7-2-0-192.example.net"),
    (V4, "ip192x0x2x7.example.net"),
    (V4, "192_0_2_7.example.net"),
    (V4, "192-000-002-007.example.net"),
    (V4, "cust192000002007.example.net"),
    (V4, "dsl-007002000192.example.net"),
    (V4, "c0000207.example.net"),
    (V4, "h-c0000207-x.example.net"),
    (V6, f"{NIBBLES}.example.net"),
    (V6, ".".join(NIBBLES) + ".example.net"),
    (V6, ".".join(NIBBLES[::-1]) + ".example.net"),
    (V6, "-".join(NIBBLES) + ".example.net"),
    (V6, "2001-db8-12-a0-0-0-1-f00d.example.net"),
    (V6, "2001-0db8-0012-00a0-0000-0000-0001-f00d.example.net"),
    (V6, "2001-db8-12-a0--1-f00d.example.net"),
    (V6, "host-0-0-1-f00d.example.net"),
]
NOT_HELD = [
    (V4, "mx.example.net"),
    (V4, "mx7.example.net"),
    (V4, "2-7.example.net"),
    (V4, "mx-0-2-7.example.net"),
    (V4, "1192-0-2-7.example.net"),
    (V4, "192-0-2-77.example.net"),
    (V4, "192-0-2.7a.example.net"),
    (V4, "192-2-0-7.example.net"),
    (V4, "1c0000207.example.net"),
    (V4, "19202 7.example.net"),
    (V4, ""),
    (V6, "mx.example.net"),
    (V6, "db8-12.example.net"),
    (V6, "1-f00d.example.net"),
    ("2001:db8::7", "mx-0-0-0-7.example.net"),
]


@pytest.mark.parametrize(("address", "name"), HELD)
def test_a_name_made_from_the_address(address: str, name: str) -> None:
    assert holds_address(name, ipaddress.ip_address(address))


@pytest.mark.parametrize(("address", "name"), NOT_HELD)
def test_a_name_that_only_holds_some_digits(address: str, name: str) -> None:
    assert not holds_address(name, ipaddress.ip_address(address))
