"""Names that hold their host's address, and honest names that hold some of its digits; providers' and lines' names."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from eximacl.mail.generic_names import holds_address, is_line

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
    (V4, "static192-0-2-7.example.net"),
    (V4, "a192-0-2-7.deploy.example.net"),
    (V4, "192-0-2.7a.example.net"),
    (V4, "fc192-0-2-7e.example.net"),
    ("80.35.201.118", "118.red-80-35-201.example.net"),
    ("24.201.28.90", "modemcable090.28-201-24.example.net"),
    ("213.114.3.19", "c-130372d5.012-136-6c756e2.example.net"),
    (V4, "c0000207.example.net"),
    (V4, "catvc0000207.example.net"),
    (V6, "a2001-db8-12-a0-0-0-1-f00d.example.net"),
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
    (V4, "mx7.row2.rack192.dc0.example.net"),
    (V4, "192-0-2-7" + "x" * 300),
    ("1.1.2.9", "mx9.dc1.rack1.row2.example.net"),
    (V4, "192-0-2-77.example.net"),
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


# Real hosts and addresses: what each of them is, and whether its name is taken for a line's.
HOSTS = [
    line.split("\t")
    for line in (Path(__file__).parent.parent / "golden" / "host_names.tsv").read_text().splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize(("kind", "seen", "name", "address"), [row[:4] for row in HOSTS], ids=[row[2] for row in HOSTS])
def test_real_names(kind: str, seen: str, name: str, address: str) -> None:
    assert is_line(name, ipaddress.ip_address(address)) == (seen == "yes")


def test_shares_of_real_names() -> None:
    """No mail host may be taken for a line; a line that is missed costs little."""
    seen = {kind: [row[1] == "yes" for row in HOSTS if row[0] == kind] for kind in ("mail", "line", "static")}
    assert not any(seen["mail"])
    assert sum(seen["line"]) >= 0.85 * len(seen["line"])
    assert len(HOSTS) >= 150
