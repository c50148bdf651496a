"""What other projects' test suites hold right, and eximacl too: the inputs and the right values, none of their code.

Each table has one function of ours and three columns: the project (on GitHub), the input and the right value, both in
JSON. A row that fails here is a disagreement that was not there before: either side may be wrong, so look at it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eximacl.harvest.addresses import addresses
from eximacl.harvest.dates import seconds_of
from eximacl.mail.address import Address, canonical_domain, is_mailbox, parse_quoted, quoted
from eximacl.mail.generic_names import holds_address
from eximacl.mail.hosts import ip_address, literal_address, registrable_domain
from eximacl.mail.lists import Networks

HERE = Path(__file__).parent
ROWS_MIN = 500
DOMAIN = "x.org"


def _ip(text: str) -> str | None:
    address = ip_address(text)
    return None if address is None else str(address)


def _holds(given: list[str]) -> bool:
    ip, name = given
    address = ip_address(ip)
    assert address is not None
    return holds_address(name, address)


def _in_network(given: list[str]) -> bool:
    network, ip = given
    return ip in Networks([network])


TABLES: dict[str, Callable[[Any], Any]] = {
    "address_literals": lambda text: literal_address(text) is not None,
    "addresses": lambda text: list(parse_quoted(text)),
    "dates": lambda text: seconds_of(text.encode()),
    "domains": canonical_domain,
    "header_addresses": lambda text: [str(address) for address in addresses(text)],
    "ip_addresses": _ip,
    "mailboxes": is_mailbox,
    "names_with_address": _holds,
    "networks": _in_network,
    "quoting": lambda localpart: quoted(Address(localpart, DOMAIN)).removesuffix(f"@{DOMAIN}"),
    "registrable_domains": lambda name: registrable_domain(canonical_domain(name)),
}


def rows() -> list[Any]:
    found = []
    for path in sorted(HERE.glob("*.tsv")):
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        for number, line in enumerate(lines, 1):
            source, given, right = line.split("\t")
            found.append(
                pytest.param(path.stem, json.loads(given), json.loads(right), id=f"{path.stem} {number} ({source})")
            )
    return found


def test_there_are_enough_and_each_table_is_read() -> None:
    assert len(rows()) >= ROWS_MIN
    assert {path.stem for path in HERE.glob("*.tsv")} == set(TABLES)


@pytest.mark.parametrize(("table", "given", "right"), rows())
def test_agreement(table: str, given: Any, right: Any) -> None:
    assert TABLES[table](given) == right
