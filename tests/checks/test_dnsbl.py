"""`dnsbl`: what is asked about which client, what the client gets, and that nothing happens without lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eximacl.check import Hit, ListProbe, Unknown, declared
from eximacl.checks._list_zones import list_probes
from eximacl.checks.dnsbl import dnsbl
from eximacl.policy.query import Query
from eximacl.testing import SERVFAIL, Dns
from tests.asking import judge, query
from tests.checks.listing import options_from, steps_from
from tests.checks.running import documented_defaults

LISTED = ["127.0.0.2"]
V6 = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
NAMES = {
    ("7.2.0.192.bl.example.net", "A"): LISTED,
    ("8.2.0.192.bl.example.net", "A"): ["127.0.0.4", "127.0.0.2"],
    ("8.2.0.192.bl.example.com", "A"): ["127.0.0.9"],
    ("9.2.0.192.bl.example.net", "A"): SERVFAIL,
    ("10.2.0.192.bl.example.net", "A"): ["127.255.255.254"],
    (f"{V6}.bl.example.net", "A"): LISTED,
}
BOTH = 'zones = ["bl.example.net", "bl.example.com"]'


def outcome(tmp_path: Path, toml: str, asked: Query, names: Dns | None = None) -> Any:
    return judge(dnsbl, asked, options_from(tmp_path, "dnsbl", toml), names=names or Dns(NAMES))


# client, detail and text of the hit; a detail alone: Unknown
ROWS: list[tuple[str, str, str]] = [
    ("192.0.2.7", "bl.example.net 127.0.0.2", "192.0.2.7 is listed by bl.example.net"),
    ("::ffff:192.0.2.7", "bl.example.net 127.0.0.2", "192.0.2.7 is listed by bl.example.net"),
    (
        "192.0.2.8",
        "bl.example.net 127.0.0.4 127.0.0.2, bl.example.com 127.0.0.9",
        "192.0.2.8 is listed by bl.example.net",
    ),
    ("2001:db8::7", "bl.example.net 127.0.0.2", "2001:db8::7 is listed by bl.example.net"),
    ("2001:DB8:0::7", "bl.example.net 127.0.0.2", "2001:db8::7 is listed by bl.example.net"),
    ("192.0.2.9", f"bl.example.net: {SERVFAIL.detail}", ""),
    ("192.0.2.10", "bl.example.net: its answer 127.255.255.254 is none of its codes", ""),
    ("192.0.2.11", "", ""),
    ("2001:db8::8", "", ""),
    ("", "", ""),
    ("192.0.2", "", ""),
    ("\udcff", "", ""),
    ("127.0.0.2", "", ""),
]


@pytest.mark.parametrize(("client", "detail", "text"), ROWS)
def test_dnsbl(tmp_path: Path, client: str, detail: str, text: str) -> None:
    found = outcome(tmp_path, BOTH, query(ip=client))
    expected = Hit("dnsbl-listed", detail, text) if text else Unknown(detail) if detail else None
    assert found == expected


@pytest.mark.parametrize("stage", ["connect", "helo", "mail", "rcpt"])
def test_every_stage_is_the_same(tmp_path: Path, stage: Any) -> None:
    assert isinstance(outcome(tmp_path, BOTH, query(stage)), Hit)


def test_both_lists_are_asked_at_once(tmp_path: Path) -> None:
    names = Dns(NAMES)
    outcome(tmp_path, BOTH, query(), names)
    assert names.asked == [("7.2.0.192.bl.example.net", "A"), ("7.2.0.192.bl.example.com", "A")]


def test_lists_of_one_family_are_not_asked_about_the_other(tmp_path: Path) -> None:
    toml = '[checks.dnsbl.zones."bl.example.net"]\nipv6 = false\n[checks.dnsbl.zones."bl.example.com"]\nipv4 = false\n'
    for client, asked in (("192.0.2.7", "7.2.0.192.bl.example.net"), ("2001:db8::7", f"{V6}.bl.example.com")):
        names = Dns(NAMES)
        outcome(tmp_path, toml, query(ip=client), names)
        assert names.asked == [(asked, "A")]


def test_a_text_for_the_list_and_one_for_a_code(tmp_path: Path) -> None:
    toml = """
        [checks.dnsbl.zones."bl.example.net"]
        codes = { "127.0.0.2" = { weight = 2, text = "{txt}" }, "127.0.0.4" = {} }
        text = "{ip} is on {zone}"
    """
    names = Dns({**NAMES, ("8.2.0.192.bl.example.net", "TXT"): ["see https://bl.example.net/8"]})
    found = outcome(tmp_path, toml, query(ip="192.0.2.8"), names)
    assert found.text == "see https://bl.example.net/8"
    names.records["8.2.0.192.bl.example.net", "A"] = ("127.0.0.4",)
    found = outcome(tmp_path, toml, query(ip="192.0.2.8"), names)
    assert found.text == "192.0.2.8 is on bl.example.net"
    assert [kind for _, kind in names.asked] == ["A", "TXT", "A"]


def test_a_threshold(tmp_path: Path) -> None:
    assert outcome(tmp_path, f"threshold = 2\n{BOTH}", query()) is None
    assert isinstance(outcome(tmp_path, f"threshold = 2\n{BOTH}", query(ip="192.0.2.8")), Hit)


def test_a_list_at_fault_is_not_asked(tmp_path: Path) -> None:
    names = Dns(NAMES, {"bl.example.net": "it lists everybody"})
    assert outcome(tmp_path, BOTH, query(), names) == Unknown("bl.example.net: it lists everybody")
    assert isinstance(outcome(tmp_path, BOTH, query(ip="192.0.2.8"), names), Hit)
    assert {name for name, _ in names.asked} == {"7.2.0.192.bl.example.com", "8.2.0.192.bl.example.com"}


def test_declaration(tmp_path: Path) -> None:
    declaration = declared(dnsbl)
    assert declaration is not None
    assert declaration.stages == {"connect", "helo", "mail", "rcpt"}
    assert documented_defaults(dnsbl) == {
        "zones": [],
        "threshold": 1,
        "lower_threshold": 0,
        "lower_action": "defer",
    }
    toml = f'{BOTH[:-1]}, "bl.example.org"]'
    assert [one.name for one in list_probes(options_from(tmp_path, "dnsbl", toml)) if not one.part] == [
        "bl.example.net", "bl.example.com", "bl.example.org",
    ]  # fmt: skip
    first = list_probes(options_from(tmp_path, "dnsbl", BOTH))[0]
    assert isinstance(first, ListProbe)
    assert tuple(dict(first.question().names())) == ("2.0.0.127.bl.example.net", "1.0.0.127.bl.example.net")
    assert steps_from(tmp_path, "dnsbl", "") == ()


TWO = """threshold = 2
lower_threshold = 1
lower_action = "observe"
[checks.dnsbl.zones]
"bl.example.net" = {}
"bl.example.com" = {}
"good.example.net" = { weight = -1 }
"""


@pytest.mark.parametrize(
    ("client", "good", "reason", "detail"),
    [
        ("192.0.2.7", False, "dnsbl-suspect", "bl.example.net 127.0.0.2"),
        ("192.0.2.8", False, "dnsbl-listed", "bl.example.net 127.0.0.4 127.0.0.2, bl.example.com 127.0.0.9"),
        (
            "192.0.2.8",
            True,
            "dnsbl-suspect",
            "bl.example.net 127.0.0.4 127.0.0.2, bl.example.com 127.0.0.9, good.example.net 127.0.0.2 (-1)",
        ),
        ("192.0.2.7", True, "", ""),
    ],
)
def test_two_thresholds(tmp_path: Path, client: str, good: bool, reason: str, detail: str) -> None:
    labels = ".".join(reversed(client.split(".")))
    names = Dns({**NAMES, (f"{labels}.good.example.net", "A"): LISTED if good else []})
    found = outcome(tmp_path, TWO, query(ip=client), names)
    if not reason:
        assert found is None
        return
    assert isinstance(found, Hit)
    assert (found.reason, found.detail) == (reason, detail)
    assert found.action == ("observe" if reason == "dnsbl-suspect" else None)
    assert found.text == f"{client} is listed by bl.example.net"


SILENT = [
    (1, -1, "unknown"),
    (1.5, -1, "unknown"),
    (2, -1, "dnsbl-listed"),
    (2, -2, "unknown"),
    (3, -2, "dnsbl-listed"),
    (0.5, -1, "None"),
]


@pytest.mark.parametrize("silent", ["does not answer", "fails its probe"])
@pytest.mark.parametrize(("bad", "good", "expected"), SILENT)
def test_a_silent_list_of_good_ones_decides_unless_it_is_outweighed(
    tmp_path: Path, bad: float, good: float, silent: str, expected: str
) -> None:
    zones = f"""[checks.dnsbl.zones]
"bl.example.net" = {{ weight = {bad} }}
"good.example.net" = {{ weight = {good} }}
"""
    faults = {"good.example.net": "lists nothing"} if silent == "fails its probe" else {}
    names = Dns({**NAMES, ("7.2.0.192.good.example.net", "A"): SERVFAIL}, faults)
    found = outcome(tmp_path, zones, query(ip="192.0.2.7"), names)
    reason = found.reason if isinstance(found, Hit) else "unknown" if isinstance(found, Unknown) else str(found)
    assert reason == expected
