"""`rate`: each limit, its window, who counts as one; and what is put off is not counted."""

from __future__ import annotations

import pytest

from eximacl.check import Hit, Tables, Unknown, declared
from eximacl.checks.rate import Options, RateWindow, rate
from eximacl.state import MemoryState
from tests.asking import NOW, Dead, judge, query
from tests.checks.running import documented_defaults

MINUTE = 60.0
WINDOW = {"minutes": 60, "client": 0, "sender": 0, "recipient": 0, "recipient_domain": 0}
LATER, PASS = "rate", "None"


def window(label: str = "hour", /, **given: int) -> RateWindow:
    return RateWindow(name=label, **{**WINDOW, **given})


def options(*windows: RateWindow, network4: int = 32, **given: int) -> Options:
    """One window with the given limits, or these windows."""
    return Options(windows=Tables(windows or (window(**given),)), network4=network4, network6=64)


def fates(steps: list[tuple[float, dict[str, str]]], state: MemoryState | None = None, /, **given: int) -> list[str]:
    """Send mails at these minutes from NOW, and return what each came to."""
    state, found = state or MemoryState(), []
    for minutes, values in steps:
        outcome = judge(rate, query(**values), options(**given), state=state, now=NOW + minutes * MINUTE)
        found.append(outcome.reason if isinstance(outcome, Hit) else str(outcome))
    return found


Steps = list[tuple[float, dict[str, str]]]
V6, V6_NEAR, V6_FAR = ({"ip": ip} for ip in ("2001:db8::7", "2001:db8::8", "2001:db8:0:1::7"))
ROWS: list[tuple[str, dict[str, int], Steps, list[str]]] = [
    ("no limit", {}, [(0, {})] * 5, [PASS] * 5),
    ("client", {"client": 2}, [(0, {})] * 4, [PASS, PASS, LATER, LATER]),
    ("another client", {"client": 1}, [(0, {}), (0, {"ip": "192.0.2.8"})], [PASS, PASS]),
    ("a client's network", {"client": 1, "network4": 24}, [(0, {}), (0, {"ip": "192.0.2.8"})], [PASS, LATER]),
    ("IPv6 network", {"client": 1}, [(0, V6), (0, V6_NEAR), (0, V6_FAR)], [PASS, LATER, PASS]),
    ("IPv4 in IPv6", {"client": 1}, [(0, {}), (0, {"ip": "::ffff:192.0.2.7"})], [PASS, LATER]),
    ("no address", {"client": 1}, [(0, {"ip": ""})] * 3, [PASS] * 3),
    ("sender", {"sender": 1}, [(0, {}), (0, {"from_": "SENDER@Example.net"})], [PASS, LATER]),
    ("a sender's tag", {"sender": 1}, [(0, {}), (0, {"from_": "prvs=0787b0b1b2=sender@example.net"})], [PASS, LATER]),
    ("another sender", {"sender": 1}, [(0, {}), (0, {"from_": "b@example.net"})], [PASS, PASS]),
    ("bounces have no limit", {"sender": 1}, [(0, {"from_": ""})] * 3, [PASS] * 3),
    (
        "recipient domain",
        {"recipient_domain": 2},
        [(0, {}), (0, {"rcpt": "ann@example.org"}), (0, {"rcpt": "x@example.com"}), (0, {})],
        [PASS, PASS, PASS, LATER],
    ),
    (
        "recipient",
        {"recipient": 2},
        [(0, {}), (0, {"rcpt": "Steve+x@example.org", "from_": ""}), (0, {"rcpt": "juha@example.org"}), (0, {})],
        [PASS, PASS, PASS, LATER],
    ),
    ("another domain's", {"recipient": 1}, [(0, {}), (0, {"rcpt": "steve@example.com"})], [PASS, PASS]),
    ("the window slides", {"client": 2, "minutes": 10}, [(0, {}), (6, {}), (9, {}), (10, {}), (11, {})],
     [PASS, PASS, LATER, PASS, LATER]),
    ("the narrowest counts", {"client": 3, "sender": 1}, [(0, {}), (0, {}), (0, {"from_": "b@example.net"})],
     [PASS, LATER, PASS]),
]  # fmt: skip


@pytest.mark.parametrize(("given", "steps", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_rate(given: dict[str, int], steps: Steps, expected: list[str]) -> None:
    assert fates(steps, **given) == expected


def test_what_is_put_off_is_not_counted() -> None:
    """A sender that tries all the time still gets its share."""
    steps: Steps = [(minute, {}) for minute in range(60)]
    assert fates(steps, client=2, minutes=10).count(PASS) == 12


def test_several_windows_at_once() -> None:
    """Three in a minute, five in ten: each counts for itself."""
    both = options(window("minute", minutes=1, client=3), window("ten", minutes=10, client=5))
    state, found = MemoryState(), []
    for minutes in (0, 0, 0, 0, 1, 1, 1, 5, 10, 10, 10, 10):
        outcome = judge(rate, query(), both, state=state, now=NOW + minutes * MINUTE)
        found.append(outcome.detail if isinstance(outcome, Hit) else "")
    minute, ten = "client:192.0.2.7/32: 3 in 1 min", "client:192.0.2.7/32: 5 in 10 min"
    assert found == ["", "", "", minute, "", "", ten, ten, "", "", "", minute]


@pytest.mark.parametrize(
    ("given", "values", "who"),
    [
        ({"client": 1}, {}, "from 192.0.2.7"),
        ({"client": 1, "network4": 24}, {}, "from 192.0.2.0/24"),
        ({"client": 1}, {"ip": "::ffff:192.0.2.7"}, "from 192.0.2.7"),
        ({"client": 1}, {"ip": "2001:db8::7"}, "from 2001:db8::/64"),
        ({"sender": 1}, {}, "from sender@example.net"),
        ({"sender": 1}, {"from_": "a/32@[192.0.2.7]"}, "from a/32@[192.0.2.7]"),
        ({"recipient": 1}, {}, "to steve@example.org"),
        ({"recipient_domain": 1}, {}, "to example.org"),
    ],
)
def test_the_text_says_whose_mail_is_too_much(given: dict[str, int], values: dict[str, str], who: str) -> None:
    state = MemoryState()
    outcomes = [judge(rate, query(**values), options(**given), state=state) for _ in range(2)]
    assert isinstance(outcomes[1], Hit)
    assert outcomes[1].text == f"too much mail {who} in 60 min; please try again later"


def test_a_network_of_one_ipv6_address_is_said_as_an_address() -> None:
    state, single = MemoryState(), Options(windows=Tables((window(client=1),)), network4=32, network6=128)
    outcomes = [judge(rate, query(ip="2001:db8::7"), single, state=state) for _ in range(2)]
    assert isinstance(outcomes[1], Hit)
    assert "from 2001:db8::7 in 60 min" in outcomes[1].text


def test_two_windows_of_one_length_are_one() -> None:
    with pytest.raises(ValueError, match="windows: hour and h have the same minutes"):
        options(window("hour", client=1), window("h", sender=1))


def test_a_disposable_address_counts_as_its_owner() -> None:
    state = MemoryState()
    for rcpt in ("steve.1.count@example.org", "steve.2.count@example.org"):
        outcome = judge(rate, query(rcpt=rcpt).judged_as("steve"), options(recipient=1), state=state)
    assert isinstance(outcome, Hit)
    assert outcome.detail == "recipient:steve@example.org: 1 in 60 min"


def test_it_is_temporary_whatever_the_action() -> None:
    state = MemoryState()
    for _ in range(2):
        outcome = judge(rate, query(), options(sender=1), state=state)
    assert isinstance(outcome, Hit)
    assert (outcome.temporary, outcome.detail) == (True, "sender:sender@example.net: 1 in 60 min")


def test_dry_counts_nothing() -> None:
    assert fates([(0, {"dry": "1"})] * 3, client=1) == [PASS] * 3


@pytest.mark.parametrize("verb", ["tally", "count"])
def test_a_dead_state_is_unknown(verb: str) -> None:
    assert fates([(0, {})], Dead(verb), client=1) == [str(Unknown("the disk is gone"))]


def test_hostile_values() -> None:
    values = {"ip": "\udcff", "from_": "\udcff@\udcfe", "rcpt": "\udcff@example.org"}
    assert fates([(0, values)] * 2, client=1, sender=1) == [PASS, LATER]
    assert fates([(0, values)] * 2, recipient=1) == [PASS, LATER]


def test_declaration() -> None:
    declaration = declared(rate)
    assert declaration is not None
    assert declaration.stages == {"rcpt"}
    assert declaration.action == "defer"
    assert documented_defaults(rate) == {"windows": [], "network4": 32, "network6": 64}
    assert declaration.idle(options())
    assert not any(declaration.idle(options(**{name: 1})) for name in WINDOW if name != "minutes")
