"""`resolvable_sender`: MX, the domain's own address, null MX, and what DNS does not know."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.check import Hit, Networks, Unknown, declared
from eximacl.checks.resolvable_sender import HOSTS_MAX, NOT_PUBLIC, Options, resolvable_sender
from eximacl.policy.query import Stage
from eximacl.testing import SERVFAIL, Dns
from tests.asking import judge, query

OPTIONS = Options(ignored=Networks(NOT_PUBLIC))
# How each of many sets of mail hosts is judged, compared with a real Exim: tests/smtp/test_sender_verify.py.
DNS: dict[tuple[str, str], Any] = {
    ("mx.example", "MX"): ["20 b.mx.example", "10 a.mx.example"],
    ("a.mx.example", "A"): ["192.0.2.7"],
    ("mx.example", "A"): ["192.0.2.7"],
    ("private.example", "MX"): ["10 mx.private.example"],
    ("mx.private.example", "A"): ["10.1.2.3"],
    ("mx.private.example", "AAAA"): ["fd00::1"],
    ("private.example.org", "A"): ["192.168.1.2"],
    ("example.org", "MX"): ["10 mx.private.example"],
    ("notexample.org", "A"): ["10.1.2.3"],
    ("many.example", "MX"): [f"{number} h{number}.many.example" for number in range(HOSTS_MAX + 1)],
    (f"h{HOSTS_MAX}.many.example", "A"): ["192.0.2.7"],
    ("order.example", "MX"): [f"{number} h{number}.order.example" for number in range(30, 0, -1)],
    ("h1.order.example", "A"): ["192.0.2.7"],
    ("a.example", "A"): ["192.0.2.7"],
    ("aaaa.example", "AAAA"): ["2001:db8::7"],
    ("null.example", "MX"): ["0 ."],
    ("nullish.example", "MX"): ["0 .", "10 mx.example"],
    ("fail.example", "MX"): SERVFAIL,
    ("fail.example", "A"): ["192.0.2.7"],
    ("half.example", "A"): SERVFAIL,
    ("half.example", "AAAA"): ["2001:db8::7"],
    ("unknown.example", "A"): SERVFAIL,
    ("xn--e1afmkfd.xn--p1ai", "MX"): ["10 mx.example"],
    ("xn--strae-oqa.example", "MX"): ["10 mx.example"],
}
# A label of 63 octets has room for fewer such letters.
LONG = "ދި" * 40
ROWS: list[tuple[str, Any]] = [
    ("a@mx.example", None),
    ("a@a.example", None),
    ("a@aaaa.example", None),
    ("a@A.Example.", None),
    ("a@пример.рф", None),
    ("a@null.example", "sender-null-mx"),
    ("a@nullish.example", None),
    ("a@nothing.example", "sender-unresolvable"),
    ("a@fail.example", SERVFAIL),
    ("a@half.example", None),
    ("a@unknown.example", SERVFAIL),
    ("a@no name", "sender-unresolvable"),
    ("a@-.example", "sender-unresolvable"),
    ("a@\udcff.example", "sender-unresolvable"),
    (f"a@{'x' * 300}.example", "sender-unresolvable"),
    ("a@ދިވެހި.example", "sender-unresolvable"),
    ("a@straße.example", None),
    ("a@xn--strae-oqa.example", None),
    ("a@STRASSE.example", "sender-unresolvable"),
    ("a@☃.example", "sender-unresolvable"),
    (f"a@{LONG}.example", Unknown(f"{LONG}.example cannot be written in A-labels (IDNA), so DNS cannot be asked")),
    (f"a@{'ދި' * 200}.example", "sender-unresolvable"),
    ("a@192.0.2.7", "sender-unresolvable"),
    ("a@[192.0.2.7]", None),
    ("a@[IPv6:2001:db8::7]", None),
    ("", None),
    ("a", None),
]


@pytest.mark.parametrize(("sender", "expected"), ROWS)
@pytest.mark.parametrize("stage", ["mail", "rcpt"])
def test_resolvable_sender(sender: str, expected: Any, stage: Stage) -> None:
    outcome = judge(resolvable_sender, query(stage, from_=sender), OPTIONS, names=Dns(DNS))
    if isinstance(outcome, Hit):
        assert outcome.reason == expected
        assert outcome.status == ("7.27" if expected == "sender-null-mx" else "1.8")
    else:
        assert outcome == expected


def test_most_senders_cost_two_look_ups() -> None:
    names = Dns(DNS)
    judge(resolvable_sender, query(from_="a@mx.example"), OPTIONS, names=names)
    assert names.asked == [("mx.example", "MX"), ("a.mx.example", "A"), ("b.mx.example", "A")]


def test_of_many_mail_hosts_the_preferred_are_looked_up() -> None:
    names = Dns(DNS)
    assert judge(resolvable_sender, query(from_="a@order.example"), OPTIONS, names=names) is None
    assert names.asked[1:] == [(f"h{number}.order.example", "A") for number in range(1, HOSTS_MAX + 1)]
    outcome = judge(resolvable_sender, query(from_="a@many.example"), OPTIONS, names=names)
    assert outcome == Unknown(
        f"many.example has {HOSTS_MAX + 1} mail hosts, and none of the first {HOSTS_MAX} can be reached"
    )


PRIVATE: list[tuple[Stage, str, str, str | None]] = [
    ("rcpt", "a@private.example", "192.0.2.7", "sender-not-public"),
    ("rcpt", "a@notexample.org", "192.0.2.7", "sender-not-public"),
    ("rcpt", "a@example.org", "192.0.2.7", None),
    ("rcpt", "a@private.example.org", "192.0.2.7", None),
    ("rcpt", "a@private.example", "10.9.8.7", None),
    ("rcpt", "a@private.example", "127.0.0.1", None),
    ("rcpt", "a@private.example", "::ffff:10.9.8.7", None),
    ("rcpt", "a@gone.private.example", "10.9.8.7", "sender-unresolvable"),
    ("mail", "a@private.example", "192.0.2.7", None),
    ("mail", "a@gone.private.example", "192.0.2.7", "sender-unresolvable"),
]


@pytest.mark.parametrize(("stage", "sender", "ip", "reason"), PRIVATE)
def test_private_mail_hosts_may_be_ours(stage: Stage, sender: str, ip: str, reason: str | None) -> None:
    outcome = judge(resolvable_sender, query(stage, from_=sender, ip=ip), OPTIONS, names=Dns(DNS))
    assert (outcome.reason if isinstance(outcome, Hit) else outcome) == reason


def test_which_addresses_count_is_a_list() -> None:
    asked = query(from_="a@private.example")
    assert judge(resolvable_sender, asked, Options(ignored=Networks([])), names=Dns(DNS)) is None
    assert judge(resolvable_sender, asked, Options(ignored=Networks(["10.0.0.0/8"])), names=Dns(DNS)) is None


def test_declaration() -> None:
    declaration = declared(resolvable_sender)
    assert declaration is not None
    assert declaration.action == "off"
    assert declaration.stages == {"mail", "rcpt"}


def test_unknown_is_what_dns_said() -> None:
    outcome = judge(resolvable_sender, query(from_="a@fail.example"), OPTIONS, names=Dns(DNS))
    assert outcome == Unknown(SERVFAIL.detail)
