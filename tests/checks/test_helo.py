"""`helo`: no name, our name, another's address, not in DNS; each with its own action, and none by default."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.check import Hit, Hosts, Networks, Suffixes, Unknown, declared
from eximacl.checks.helo import PROVIDERS, Options, helo
from eximacl.mail.providers import Providers
from eximacl.testing import SERVFAIL, Dns
from tests.asking import judge, query
from tests.checks.running import documented_defaults

CONDITIONS = ("bad", "no_name", "ours", "other_address", "provider", "unresolvable", "unrelated")
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
    chosen = {**dict.fromkeys(CONDITIONS, "off"), **actions}
    own: Any = {"own_names": Suffixes(["example.org"]), "own_addresses": Networks(["198.51.100.0/24"])}
    own["bad_names"] = Hosts(["ylmf-pc", "bad.example", "/^[0-9a-f]{8}$/", "/^(?:xy|xyxy)+$/"])
    return Options(**chosen, **own, providers=Providers(PROVIDERS))


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


UNRELATED = "helo-unrelated"
NEAR = Dns(
    """
    mx.example.net A 192.0.2.7
    near.example.com A 198.51.100.9, 192.0.2.200
    near6.example.com AAAA 2001:db8::99
    far.example.com A 198.51.100.9
    far6.example.com AAAA 2001:db8:0:1::7
    mail.example.com MX 10 mx.example.net
    dead.example.com A SERVFAIL
    half.example.com AAAA SERVFAIL
    half.example.com A 192.0.2.9
    """
)
NO_PTR = {"host": ""}
# greeting, more values, expected reason of `unrelated`
RELATIONS: list[tuple[str, dict[str, str], Any]] = [
    ("mx.example.net", {}, None),
    ("MX.EXAMPLE.NET.", {}, None),
    ("out.example.net", {}, None),
    ("example.net", {}, None),
    ("mx.example.net", {"host": "Out7.Example.NET"}, None),
    ("a.example.co.uk", {"host": "b.example.co.uk"}, None),
    ("a.example.co.uk", {"host": "b.other.co.uk"}, UNRELATED),
    ("a.github.io", {"host": "b.github.io"}, UNRELATED),
    ("mx.example.net", NO_PTR, None),
    ("near.example.com", {}, None),
    ("near.example.com", {"ip": "::ffff:192.0.2.7"}, None),
    ("near6.example.com", {"ip": "2001:db8::7"}, None),
    ("near6.example.com", {}, UNRELATED),
    ("far.example.com", {}, UNRELATED),
    ("far.example.com", NO_PTR, UNRELATED),
    ("far6.example.com", {"ip": "2001:db8::7"}, UNRELATED),
    ("mail.example.com", {}, UNRELATED),
    ("gone.example.com", {}, UNRELATED),
    ("far.example.com", {"host": "", "host_deferred": "1"}, Unknown("the reverse look-up of the client was deferred")),
    ("mx.example.net", {"host": "", "host_deferred": "1"}, None),
    ("dead.example.com", {}, SERVFAIL),
    ("half.example.com", {}, None),
    ("far.example.com", {"ip": ""}, None),
    ("localhost", {}, None),
    ("[192.0.2.9]", {}, None),
    ("192.0.2.9", {}, None),
]


@pytest.mark.parametrize(("greeting", "values", "expected"), RELATIONS)
def test_a_greeting_unlike_the_client(greeting: str, values: dict[str, str], expected: Any) -> None:
    outcome = judge(helo, query(helo=greeting, **values), options(unrelated="reject"), names=NEAR)
    assert (outcome.reason if isinstance(outcome, Hit) else outcome) == expected
    observed = judge(helo, query(helo=greeting, **values), options(unrelated="observe"), names=NEAR)
    assert (observed.reason if isinstance(observed, Hit) else observed) == (
        None if isinstance(expected, Unknown) else expected
    )


PROVIDER = "helo-provider"
# greeting, the client's reverse name, expected reason of `provider`
ELSEWHERE: list[tuple[str, str, Any]] = [
    ("mail-wr1-f41.google.com", "mail-wr1-f41.google.com", None),
    ("gmail.com", "mail-wr1-f41.google.com", None),
    ("Gmail.com.", "Mail-wr1-f41.Google.COM", None),
    ("EUR05-AM6-obe.outbound.protection.outlook.com", "mail-am6.outbound.protection.outlook.com", None),
    ("hotmail.com", "mail-am6.outbound.protection.outlook.com", None),
    ("mout.gmx.net", "mout.gmx.net", None),
    ("sonic307-1.consmr.mail.ne1.yahoo.com", "sonic307-1.consmr.mail.ne1.yahoo.com", None),
    ("gmail.com", "mx.example.net", PROVIDER),
    ("gmail.com", "google.com.example.net", PROVIDER),
    ("gmail.com", "", PROVIDER),
    ("mail.google.com", "35.0.2.7.bc.googleusercontent.com", PROVIDER),
    ("outlook.com", "mail-wr1-f41.google.com", PROVIDER),
    ("notgmail.com", "mx.example.net", None),
    ("yahoo.co.jp", "mx.example.net", None),
    ("gmail.com.example.net", "mx.example.net", None),
    ("mx.example.net", "mail-wr1-f41.google.com", None),
    ("[192.0.2.7]", "", None),
]


@pytest.mark.parametrize(("greeting", "host", "expected"), ELSEWHERE)
def test_a_providers_name_from_elsewhere(greeting: str, host: str, expected: Any) -> None:
    outcome = judge(helo, query(helo=greeting, host=host), options(provider="reject"))
    assert (outcome.reason if isinstance(outcome, Hit) else outcome) == expected


def test_a_provider_is_not_judged_while_its_reverse_name_is_not_known() -> None:
    asked = query(helo="gmail.com", host="", host_deferred="1")
    assert isinstance(judge(helo, asked, options(provider="reject")), Unknown)
    assert judge(helo, asked, options(provider="observe")) is None


def test_names_of_the_client_are_looked_up_once() -> None:
    names = Dns()
    judge(helo, query(helo="a.example.com"), options(unrelated="reject", unresolvable="reject"), names=names)
    judge(helo, query(helo="a.example.net"), options(unrelated="reject"), names=names)
    assert names.asked == [("a.example.com", kind) for kind in ("A", "AAAA", "MX")]


def test_what_is_only_observed_puts_nothing_off() -> None:
    dead = query(helo="dead.example.net", host="mx.example.com")
    assert judge(helo, dead, options(unresolvable="observe"), names=DNS) is None
    assert judge(helo, dead, options(unresolvable="observe", unrelated="reject"), names=DNS) == SERVFAIL


@pytest.mark.parametrize(
    ("greeting", "entry"),
    [
        ("ylmf-pc", "ylmf-pc"),
        ("YLMF-PC", "ylmf-pc"),
        ("mx.bad.example", "bad.example"),
        ("0A1B2C3D", "/^[0-9a-f]{8}$/"),
        ("mx.example.net", None),
        ("[192.0.2.7]", None),
        ("two words", None),
    ],
)
def test_a_greeting_on_the_list(greeting: str, entry: str | None) -> None:
    outcome = judge(helo, query(helo=greeting), options(bad="reject"))
    assert ((outcome.reason, outcome.detail) if isinstance(outcome, Hit) else outcome) == (
        ("helo-bad", entry) if entry else None
    )


def test_a_slow_pattern_is_unknown_where_it_matters() -> None:
    slow = query(helo="xy" * 60 + "!")
    assert isinstance(judge(helo, slow, options(bad="reject")), Unknown)
    assert judge(helo, slow, options(bad="observe")) is None


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
    assert not any(declaration.idle(options(**{name: "observe"})) for name in CONDITIONS)
    defaults = documented_defaults(helo)
    assert set(defaults) == {*CONDITIONS, "own_names", "own_addresses", "providers", "bad_names"}
    assert all(defaults[name] == "off" for name in CONDITIONS)
