"""`resolvable_sender`: MX, the domain's own address, null MX, and what DNS does not know."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.check import Hit, NoOptions, Unknown, declared
from eximacl.checks.resolvable_sender import resolvable_sender
from eximacl.policy.query import Stage
from eximacl.testing import SERVFAIL, Dns
from tests.asking import judge, query

DNS: dict[tuple[str, str], Any] = {
    ("mx.example", "MX"): ["10 a.mx.example", "20 b.mx.example"],
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
    outcome = judge(resolvable_sender, query(stage, from_=sender), NoOptions(), names=Dns(DNS))
    if isinstance(outcome, Hit):
        assert outcome.reason == expected
        assert outcome.status == ("7.27" if expected == "sender-null-mx" else "1.8")
    else:
        assert outcome == expected


def test_most_senders_cost_one_look_up() -> None:
    names = Dns(DNS)
    judge(resolvable_sender, query(from_="a@mx.example"), NoOptions(), names=names)
    assert names.asked == [("mx.example", "MX")]


def test_declaration() -> None:
    declaration = declared(resolvable_sender)
    assert declaration is not None
    assert declaration.action == "off"
    assert declaration.stages == {"mail", "rcpt"}


def test_unknown_is_what_dns_said() -> None:
    outcome = judge(resolvable_sender, query(from_="a@fail.example"), NoOptions(), names=Dns(DNS))
    assert outcome == Unknown(SERVFAIL.detail)
