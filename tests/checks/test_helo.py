"""`helo`: no name, our name, another's address, not in DNS; each with its own action, and none by default."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.check import Hit, Networks, Suffixes, Unknown, declared
from eximacl.checks.helo import Options, helo
from eximacl.testing import SERVFAIL, Dns
from tests.asking import judge, query
from tests.checks.running import documented_defaults

ALL = {"no_name": "defer", "ours": "reject", "other_address": "reject", "unresolvable": "reject"}
DNS = Dns(
    {
        ("mx.example.net", "A"): ["192.0.2.7"],
        ("six.example.net", "AAAA"): ["2001:db8::7"],
        ("mail.example.net", "MX"): ["10 mx.example.net"],
        ("dead.example.net", "A"): SERVFAIL,
        ("half.example.net", "A"): SERVFAIL,
        ("half.example.net", "MX"): ["10 mx.example.net"],
        ("xn--e1afmkfd.xn--p1ai", "A"): ["192.0.2.7"],
    }
)


def options(**actions: Any) -> Options:
    chosen = {"no_name": "off", "ours": "off", "other_address": "off", "unresolvable": "off", **actions}
    return Options(**chosen, own_names=Suffixes(["example.org"]), own_addresses=Networks(["198.51.100.0/24"]))


# greeting, actions, more values, expected reason; None: nothing; Unknown
ROWS: list[tuple[str, dict[str, str], dict[str, str], Any]] = [
    ("mx.example.net", ALL, {}, None),
    ("six.example.net", ALL, {}, None),
    ("mail.example.net", ALL, {}, None),
    ("MX.Example.NET.", ALL, {}, None),
    ("пример.рф", ALL, {}, None),
    ("gone.example.net", ALL, {}, "helo-unresolvable"),
    ("gone.example.net", {"no_name": "reject"}, {}, None),
    ("dead.example.net", ALL, {}, SERVFAIL),
    ("half.example.net", ALL, {}, None),
    ("localhost", ALL, {}, "helo-no-name"),
    ("localhost", {"ours": "reject"}, {}, None),
    ("192.0.2.7", ALL, {}, "helo-no-name"),
    ("2001:db8::7", ALL, {}, "helo-no-name"),
    ("my computer", ALL, {}, "helo-no-name"),
    ("mx..example.net", ALL, {}, "helo-no-name"),
    ("\udcff.example.net", ALL, {}, "helo-no-name"),
    ("[not an address]", ALL, {}, "helo-no-name"),
    ("[192.0.2.7]", ALL, {}, None),
    ("[192.0.2.9]", ALL, {}, "helo-other-address"),
    ("[192.0.2.9]", {"ours": "reject"}, {}, None),
    ("[IPv6:2001:db8::7]", ALL, {"ip": "2001:db8:0::7"}, None),
    ("[IPv6:2001:db8::8]", ALL, {"ip": "2001:db8::7"}, "helo-other-address"),
    ("[192.0.2.7]", ALL, {"ip": "::ffff:192.0.2.7"}, None),
    ("[::ffff:192.0.2.7]", ALL, {}, None),
    ("[IPv6:::ffff:192.0.2.7]", ALL, {}, None),
    ("[IPv4:192.0.2.7]", ALL, {}, None),
    ("[ 192.0.2.7 ]", ALL, {}, None),
    ("[192.000.002.007]", ALL, {}, None),
    ("[2001:db8::7]", ALL, {"ip": "2001:db8::7"}, None),
    ("[2001:DB8:0:0::7]", ALL, {"ip": "2001:db8::7"}, None),
    ("[IPV6:2001:db8::7]", ALL, {"ip": "2001:db8:0:0:0:0:0:7"}, None),
    ("[2001:db8::8]", ALL, {"ip": "2001:db8::7"}, "helo-other-address"),
    ("[x-tag:2001:db8::7]", ALL, {"ip": "2001:db8::7"}, "helo-no-name"),
    ("[192.0.2.9]", {"other_address": "reject"}, {"ip": ""}, None),
    ("example.org", ALL, {}, "helo-ours"),
    ("mail.example.org", ALL, {}, "helo-ours"),
    ("Mail.Example.ORG.", ALL, {}, "helo-ours"),
    ("notexample.org", {"ours": "reject"}, {}, None),
    ("198.51.100.25", ALL, {}, "helo-ours"),
    ("[198.51.100.25]", ALL, {}, "helo-ours"),
    ("[203.0.113.25]", {"ours": "reject"}, {"local_ip": "203.0.113.25"}, "helo-ours"),
    ("203.0.113.25", {"ours": "reject"}, {"local_ip": "203.0.113.25"}, "helo-ours"),
    ("203.0.113.25", {"ours": "reject"}, {"local_ip": ""}, None),
    ("[2001:db8::25]", {"ours": "reject"}, {"local_ip": "2001:db8:0:0::25"}, "helo-ours"),
    ("2001:db8::25", {"ours": "reject"}, {"local_ip": "2001:db8::25"}, "helo-ours"),
    ("IPv6:2001:DB8::25", {"ours": "reject"}, {"local_ip": "2001:db8::25"}, "helo-ours"),
    ("[IPv6:::ffff:198.51.100.25]", ALL, {}, "helo-ours"),
    ("[::ffff:198.51.100.25]", ALL, {}, "helo-ours"),
    ("198.051.100.025", ALL, {}, "helo-ours"),
    ("", ALL, {}, None),
]


@pytest.mark.parametrize(("greeting", "actions", "values", "expected"), ROWS)
def test_helo(greeting: str, actions: dict[str, str], values: dict[str, str], expected: Any) -> None:
    outcome = judge(helo, query(helo=greeting, **values), options(**actions), names=DNS)
    if isinstance(expected, Unknown | None):
        assert outcome == expected
        return
    assert isinstance(outcome, Hit)
    assert outcome.reason == expected
    assert outcome.action == actions[expected.removeprefix("helo-").replace("-", "_")]


def test_what_is_sure_counts_though_dns_fails() -> None:
    own = options(ours="reject", unresolvable="reject")
    names = Dns({("mail.example.org", "A"): SERVFAIL})
    outcome = judge(helo, query(helo="mail.example.org"), own, names=names)
    assert isinstance(outcome, Hit)
    assert outcome.reason == "helo-ours"


def test_dns_is_asked_for_names_only_and_only_if_it_matters() -> None:
    names = Dns()
    for greeting in ("[192.0.2.7]", "localhost", "192.0.2.7"):
        judge(helo, query(helo=greeting), options(**ALL), names=names)
    judge(helo, query(helo="mx.example.net"), options(no_name="reject"), names=names)
    assert names.asked == []


def test_declaration() -> None:
    declaration = declared(helo)
    assert declaration is not None
    assert declaration.stages == {"helo", "mail", "rcpt"}
    assert declaration.idle(options())
    assert not any(declaration.idle(options(**{name: "observe"})) for name in ALL)
    assert set(documented_defaults(helo)) == {
        *ALL,
        "own_names",
        "own_addresses",
    }
    assert all(documented_defaults(helo)[name] == "off" for name in ALL)
