"""`rdns`: no name, a name that does not resolve back, a name made from the address; each with its own action."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.check import Hit, Outcome, Patterns, Unknown, declared
from eximacl.checks.rdns import Options, rdns
from eximacl.mail.generic_names import LINE_WORDS
from eximacl.policy.query import Stage
from eximacl.testing import SERVFAIL, Dns
from tests.asking import judge, query
from tests.checks.running import documented_defaults

PTR4, PTR6 = "7.2.0.192.in-addr.arpa", f"7.{'0.' * 23}8.b.d.0.1.0.0.2.ip6.arpa"
NONE = {"host": "", "host_failed": "1"}
ALL = {"missing": "reject", "unconfirmed": "defer", "generic": "hold"}


def options(patterns: list[str] | None = None, /, **actions: Any) -> Options:
    chosen = {"missing": "off", "unconfirmed": "off", "generic": "off", **actions}
    return Options(**chosen, patterns=Patterns([LINE_WORDS] if patterns is None else patterns))


# name, query, PTR answers, actions, expected (reason, detail, action) or Unknown or None
ROWS: list[tuple[str, dict[str, str], Any, dict[str, str], Any]] = [
    ("confirmed", {"host": "mx.example.net"}, (), ALL, None),
    ("no name", NONE, (), ALL, ("rdns-missing", "192.0.2.7", "reject")),
    ("no name, not asked about", NONE, (), {"unconfirmed": "reject"}, None),
    ("unconfirmed", NONE, ("mx.example.net",), ALL, ("rdns-unconfirmed", "mx.example.net", "defer")),
    ("unconfirmed, not asked about", NONE, ("mx.example.net",), {"missing": "reject"}, None),
    ("generic", {"host": "192-0-2-7.example.net"}, (), ALL, ("rdns-generic", "192-0-2-7.example.net", "hold")),
    ("generic in capitals", {"host": "DSL-192-0-2-7.Example.NET"}, (), ALL, ("rdns-generic", None, "hold")),
    ("generic by its words", {"host": "a1.dyn.example.net"}, (), ALL, ("rdns-generic", "a1.dyn.example.net", "hold")),
    ("generic by its words, with a number", {"host": "ppp12.example.net"}, (), ALL, ("rdns-generic", None, "hold")),
    (
        "a provider's mail host",
        {"ip": "40.92.74.29", "host": "mail-oln040092074029.outbound.protection.outlook.com"},
        (),
        ALL,
        None,
    ),
    (
        "a provider's mail host in capitals",
        {"ip": "66.220.155.156", "host": "66-220-155-156.Mail-Mail.Facebook.COM."},
        (),
        ALL,
        None,
    ),
    ("a name that says mail", {"host": "192-0-2-7.smtp-out.example.net"}, (), ALL, None),
    ("a letter beside the number", {"host": "static192-0-2-7.example.net"}, (), ALL, ("rdns-generic", None, "hold")),
    (
        "and one that hexadecimals have",
        {"host": "a192-0-2-7.deploy.example.net"},
        (),
        ALL,
        ("rdns-generic", None, "hold"),
    ),
    ("a name that begins like such a word", {"host": "dynamo.example.net"}, (), ALL, None),
    ("cablevision", {"host": "mx.cablevision.example"}, (), ALL, None),
    ("another address in the name", {"host": "192-0-2-8.example.net"}, (), ALL, None),
    ("the strongest counts", NONE, ("192-0-2-7.example.net",), ALL, ("rdns-generic", "192-0-2-7.example.net", "hold")),
    (
        "the strongest counts, the other way",
        NONE,
        ("192-0-2-7.example.net",),
        {"unconfirmed": "reject", "generic": "observe"},
        ("rdns-unconfirmed", "192-0-2-7.example.net", "reject"),
    ),
    (
        "any of several names",
        NONE,
        ("mx.example.net", "192-0-2-7.example.net"),
        {"generic": "reject"},
        ("rdns-generic", "192-0-2-7.example.net", "reject"),
    ),
    ("look-up deferred", {"host": "", "host_deferred": "1"}, (), ALL, "the reverse look-up of the client was deferred"),
    ("look-up fails here", NONE, SERVFAIL, ALL, SERVFAIL.detail),
    ("no address", {"ip": "", "host": ""}, (), ALL, None),
    ("a broken address", {"ip": "\udcff", "host": ""}, (), ALL, None),
    ("IPv6 without a name", {"ip": "2001:db8::7", **NONE}, (), ALL, ("rdns-missing", "2001:db8::7", "reject")),
    (
        "IPv4 in IPv6",
        {"ip": "::ffff:192.0.2.7", "host": "192-0-2-7.example.net"},
        (),
        ALL,
        ("rdns-generic", None, "hold"),
    ),
    ("hostile name", {"host": "\udcff\x1b.example.net"}, (), ALL, None),
]


@pytest.mark.parametrize(("values", "found", "actions", "expected"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
@pytest.mark.parametrize("stage", ["connect", "rcpt"])
def test_rdns(values: dict[str, str], found: Any, actions: dict[str, str], expected: Any, stage: Stage) -> None:
    names = Dns({(PTR4, "PTR"): found, (PTR6, "PTR"): found})
    assert_outcome(judge(rdns, query(stage, **values), options(**actions), names=names), expected)


def assert_outcome(outcome: Outcome, expected: Any) -> None:
    if isinstance(expected, str):
        assert outcome == Unknown(expected)
    elif expected is None:
        assert outcome is None
    else:
        assert isinstance(outcome, Hit)
        reason, detail, action = expected
        assert (outcome.reason, outcome.action) == (reason, action)
        assert detail in (None, outcome.detail)


def test_dns_is_asked_only_where_the_answer_matters() -> None:
    names = Dns()
    judge(rdns, query(host="mx.example.net"), options(**ALL), names=names)
    assert names.asked == []


def test_a_pattern_that_does_not_end_is_unknown() -> None:
    slow = options(["(?:xy|xyxy)+$"], generic="reject")
    outcome = judge(rdns, query(host="xy" * 100 + ".example"), slow, names=Dns())
    assert isinstance(outcome, Unknown)
    assert outcome.detail.startswith("took over")


def test_declaration() -> None:
    declaration = declared(rdns)
    assert declaration is not None
    assert declaration.idle(options())
    assert not any(declaration.idle(options(**{name: "observe"})) for name in ALL)
    assert declaration.stages == {"connect", "helo", "mail", "rcpt"}
    defaults = documented_defaults(rdns)
    assert (defaults["missing"], defaults["unconfirmed"], defaults["generic"]) == ("off", "off", "off")
