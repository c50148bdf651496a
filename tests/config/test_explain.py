"""`explain` and `describe`: every table and option can be asked for, and a misspelt one gets a hint."""

from __future__ import annotations

import json

import pytest

from eximacl.config import describe, explain, find_checks
from eximacl.config.explain import TEXT_COLUMNS, all_tables

CHECKS = find_checks()
NAMES = [
    name for key, table in all_tables(CHECKS).items() for name in (key, *(f"{key}.{o.name}" for o in table.options))
]


@pytest.mark.parametrize("name", NAMES)
def test_everything_can_be_explained(name: str) -> None:
    assert (
        max(map(len, explain(name, CHECKS).splitlines())) <= TEXT_COLUMNS + 2
    )  # options are indented below their table
    json.dumps(describe(name, CHECKS))


def test_a_check() -> None:
    text = explain("checks.rdns_tld", CHECKS)
    assert text == explain("rdns_tld", CHECKS)
    assert text.startswith("[checks.rdns_tld]\n  Refuse clients")
    assert "\n  Looks at: connect, helo, mail, rcpt.\n" in text
    assert '\n  tlds (list of domains; default "lists/tld")\n' in text
    assert '\n  on_unknown ("accept" or "defer"; default "accept")\n' in text


def test_an_option() -> None:
    assert explain("journal.keep_days", CHECKS) == (
        "journal.keep_days (whole number, at least 0; default 30)\n"
        "  Daily files older than this many days are deleted; 0: kept for ever."
    )
    assert explain("policy.domains", CHECKS).startswith("policy.domains (list of recipient domains; must be set)")


def test_the_tables_of_an_option() -> None:
    text = explain("dnsbl.zones", CHECKS)
    assert text.startswith("[checks.dnsbl.zones.NAME]\n  One list.")
    assert "\n  ipv6 (true or false; default true)\n" in text
    assert "Looks at" not in text
    assert explain("dnsbl.zones.weight", CHECKS).startswith("checks.dnsbl.zones.NAME.weight (number, at least 0,")
    assert explain("checks.dnsbl.zones.codes", CHECKS).startswith("[checks.dnsbl.zones.NAME.codes.NAME]\n")
    assert explain("dnsbl.zones.codes.text", CHECKS).startswith("checks.dnsbl.zones.NAME.codes.NAME.text (template of ")
    assert describe("dnsbl.zones", CHECKS)["options"][0]["key"] == "checks.dnsbl.zones.NAME.codes"


def test_described() -> None:
    assert describe("policy.order", CHECKS)["default"][-1] == "rate"
    assert describe("checks.rdns_tld.tlds", CHECKS)["key"] == "checks.rdns_tld.tlds"
    assert describe("state", CHECKS)["options"][0]["default"] == "sqlite:/var/lib/eximacl/state.db"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("rdns_tdl", "rdns_tdl: unknown name; did you mean rdns_tld?"),
        ("server.sokcet", "server.sokcet: unknown option; did you mean socket?"),
        (
            "checks.rdns_tld.xyzzy",
            "checks.rdns_tld.xyzzy: unknown option; known: tlds, names, action, on_unknown, exempt, message",
        ),
        ("dnsbl.zoens", "dnsbl.zoens: unknown option; did you mean zones?"),
        ("dnsbl.zones.wieght", "dnsbl.zones.wieght: unknown option; did you mean weight?"),
        ("", ": unknown name; known: server, state,"),
    ],
)
def test_unknown_names(name: str, hint: str) -> None:
    with pytest.raises(LookupError) as raised:
        explain(name, CHECKS)
    assert str(raised.value).startswith(hint)
