"""`rdns_tld`: whole labels of the reverse name, in any spelling; no PTR and a deferred look-up are two facts."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.check import Hit, Outcome, Suffixes, Unknown, declared
from eximacl.checks.rdns_tld import Options, rdns_tld
from eximacl.policy.query import Stage
from eximacl.testing import SERVFAIL, Dns
from tests import asking
from tests.asking import judge
from tests.checks.running import documented_defaults, outcome_of, query

TLDS = ["sa", "com.br", ".ZW", "рф", "xn--fiqs8s"]
DEFERRED = Unknown("the reverse look-up of the client was deferred")


def hit(entry: str) -> Hit:
    return Hit("rdns-tld", entry, f"mail from hosts under .{entry} is not accepted here")


ROWS: list[tuple[str, dict[str, str], Outcome]] = [
    ("listed TLD", {"host": "mx.example.sa"}, hit("sa")),
    ("longer suffix", {"host": "mx.example.com.br"}, hit("com.br")),
    ("the suffix itself", {"host": "com.br"}, hit("com.br")),
    ("beside the longer suffix", {"host": "mx.example.net.br"}, None),
    ("whole labels only: a host named like the TLD", {"host": "visa.example"}, None),
    ("whole labels only: a TLD that ends alike", {"host": "mx.visa"}, None),
    ("whole labels only: xcom.br", {"host": "mx.xcom.br"}, None),
    ("listed label, but not the last", {"host": "sa.example.net"}, None),
    ("case", {"host": "MX.EXAMPLE.SA"}, hit("sa")),
    ("trailing dot", {"host": "mx.example.sa."}, hit("sa")),
    ("case and dot of the entry", {"host": "mx.example.zw"}, hit("zw")),
    ("list in U-labels, name in A-labels", {"host": "mx.xn--e1afmkfd.xn--p1ai"}, hit("xn--p1ai")),
    ("list in U-labels, name in U-labels", {"host": "mx.ПРИМЕР.рф"}, hit("xn--p1ai")),
    ("list in A-labels, name in U-labels", {"host": "mx.中国"}, hit("xn--fiqs8s")),
    ("list in A-labels, name in A-labels", {"host": "MX.XN--FIQS8S"}, hit("xn--fiqs8s")),
    ("a label that is no IDNA", {"host": "\udcff.sa"}, hit("sa")),
    ("not listed", {"host": "mx.example.net"}, None),
    ("no PTR", {"host": "", "host_failed": "1", "host_deferred": "0"}, None),
    ("look-up deferred", {"host": "", "host_failed": "0", "host_deferred": "1"}, DEFERRED),
    ("look-up deferred, and reported as failed, too", {"host": "", "host_failed": "1", "host_deferred": "1"}, DEFERRED),
    ("a name that is there counts", {"host": "mx.example.sa", "host_deferred": "1"}, hit("sa")),
    ("an honest name that is there counts", {"host": "mx.example.net", "host_deferred": "1"}, None),
    ("nothing known", {}, None),
    ("the sender is not looked at", {"host": "mx.example.net", "sender": "a@example.sa"}, None),
    ("HELO is not looked at", {"host": "mx.example.net", "helo": "mx.example.sa"}, None),
    ("the recipient is not looked at", {"host": "mx.example.net", "rcpt": "a@example.sa"}, None),
]


@pytest.mark.parametrize(("values", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
@pytest.mark.parametrize("stage", ["connect", "rcpt"])
def test_rdns_tld(values: dict[str, str], expected: Outcome, stage: Stage) -> None:
    assert outcome_of(rdns_tld, Options(tlds=Suffixes(TLDS), names="confirmed"), query(stage, **values)) == expected


def test_an_empty_list_refuses_nobody() -> None:
    assert outcome_of(rdns_tld, Options(tlds=Suffixes(), names="confirmed"), query(host="mx.example.sa")) is None


PTR = "7.2.0.192.in-addr.arpa"
NONE = {"host": "", "host_failed": "1"}
ANY: list[tuple[str, dict[str, str], Any, Outcome]] = [
    ("a name that does not resolve back", NONE, ["mx.example.sa"], hit("sa")),
    ("one of several", NONE, ["mx.example.net", "mx.example.zw"], hit("zw")),
    ("not listed", NONE, ["mx.example.net"], None),
    ("no name at all", NONE, [], None),
    ("Exim's look-up was deferred, ours is not", {"host": "", "host_deferred": "1"}, ["mx.example.sa"], hit("sa")),
    ("ours fails", NONE, SERVFAIL, SERVFAIL),
    ("a confirmed name is enough", {"host": "mx.example.net"}, ["mx.example.sa"], None),
    ("no address", {"ip": "", "host": ""}, ["mx.example.sa"], None),
]


@pytest.mark.parametrize(("values", "found", "expected"), [row[1:] for row in ANY], ids=[row[0] for row in ANY])
def test_any_name(values: dict[str, str], found: Any, expected: Outcome) -> None:
    options = Options(tlds=Suffixes(TLDS), names="any")
    assert judge(rdns_tld, asking.query(**values), options, names=Dns({(PTR, "PTR"): found})) == expected


def test_without_entries_dns_is_not_asked() -> None:
    names = Dns()
    assert judge(rdns_tld, asking.query(**NONE), Options(tlds=Suffixes(), names="any"), names=names) is None
    assert names.asked == []


def test_declaration() -> None:
    declaration = declared(rdns_tld)
    assert declaration is not None
    assert declaration.stages == {"connect", "helo", "mail", "rcpt"}
    assert (declaration.action, declaration.on_unknown) == ("reject", "accept")
    assert documented_defaults(rdns_tld) == {"tlds": "lists/tld", "names": "confirmed"}
