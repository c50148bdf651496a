"""`dictionary_attack`: who names too many unknown recipients is put off; good hosts with stale addresses are not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from eximacl.check import CountFate, Hit, Unknown, declared
from eximacl.checks.dictionary_attack import REMEMBERED_MAX, Options, dictionary_attack
from eximacl.state import MemoryState
from tests.asking import NOW, Dead, judge, query
from tests.checks.running import documented_defaults

MINUTE = 60.0
DEFAULTS: dict[str, Any] = {
    "limit": 0, "percent": 50, "minutes": 60, "unknown": ["valid_recipient"], "network4": 32, "network6": 64,
}  # fmt: skip
# x: an unknown recipient, o: one that exists.
FORWARDER = ("o" * 30 + "x") * 20
STALE_FIRST = "x" * 9 + "o" * 40


def options(**given: Any) -> Options:
    return Options(**{**DEFAULTS, "limit": 10, **given, "unknown": ("valid_recipient",)})


def fates(recipients: Iterable[str], state: MemoryState, /, now: float = NOW, values: Any = (), **given: Any) -> str:
    """Name recipients in this order; return what became of each: as it was, or `-` where it was put off."""
    found = ""
    for recipient in recipients:
        outcome = judge(dictionary_attack, query(**dict(values)), options(**given), state=state, now=now)
        if isinstance(outcome, CountFate):
            key = outcome.refused if recipient == "x" else outcome.accepted
            state.count(key, outcome.window, outcome.most, now)
        found += "-" if isinstance(outcome, Hit) else recipient
    return found


ROWS = [
    ("a dictionary", {}, "x" * 15, "x" * 10 + "-" * 5),
    ("who found some names", {}, "xxo" * 6, "xxo" * 4 + "xx" + "----"),
    ("existing ones are put off as well", {}, "x" * 10 + "ooo", "x" * 10 + "---"),
    ("below the limit", {}, "x" * 10, "x" * 10),
    ("a forwarding host with stale addresses", {}, FORWARDER, FORWARDER),
    ("a list that begins with stale addresses", {}, STALE_FIRST + "x" * 30, STALE_FIRST + "x" * 30),
    ("half and half", {}, "ox" * 12, "ox" * 10 + "----"),
    ("a small share counts", {"percent": 10}, "ooox" * 10 + "x", "ooox" * 10 + "-"),
    ("a large share is wanted", {"percent": 90}, "ox" * 50, "ox" * 50),
    ("of a thousand", {"percent": 1}, "o" * REMEMBERED_MAX + "x" * 50, "o" * REMEMBERED_MAX + "x" * 11 + "-" * 39),
    (
        "of more than that",
        {"percent": 2},
        "o" * 2 * REMEMBERED_MAX + "x" * 25,
        "o" * 2 * REMEMBERED_MAX + "x" * 21 + "-" * 4,
    ),
]


@pytest.mark.parametrize(("given", "named", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_dictionary_attack(given: dict[str, Any], named: str, expected: str) -> None:
    assert fates(named, MemoryState(), **given) == expected


def test_it_is_over_when_the_window_has_passed() -> None:
    state = MemoryState()
    assert fates("x" * 11, state).count("-") == 1
    assert fates("o", state, now=NOW + 59 * MINUTE) == "-"
    assert fates("o", state, now=NOW + 60 * MINUTE) == "o"


CLIENTS = [
    ({"ip": "192.0.2.7"}, {}, "-"),
    ({"ip": "::ffff:192.0.2.7"}, {}, "-"),
    ({"ip": "192.0.2.8"}, {}, "o"),
    ({"ip": "192.0.2.8"}, {"network4": 24}, "-"),
    ({"ip": ""}, {}, "o"),
    ({"ip": "\udcff"}, {}, "o"),
    ({"from_": ""}, {}, "o"),
    ({"from_": "another@example.com"}, {}, "-"),
]


@pytest.mark.parametrize(("values", "given", "expected"), CLIENTS)
def test_who_is_put_off(values: dict[str, str], given: dict[str, Any], expected: str) -> None:
    state = MemoryState()
    fates("x" * 10, state, **given)
    named = query(**values)
    outcome = judge(dictionary_attack, named, options(**given), state=state)
    assert ("-" if isinstance(outcome, Hit) else "o") == expected


def test_bounces_of_a_joe_job_say_nothing_about_mail() -> None:
    state = MemoryState()
    assert fates("x" * 12, state, values={"from_": ""}) == "x" * 10 + "--"
    assert fates("ooxo", state) == "ooxo"


def test_the_objection() -> None:
    state = MemoryState()
    fates("o" * 3 + "x" * 10, state)
    outcome = judge(dictionary_attack, query(), options(), state=state)
    assert isinstance(outcome, Hit)
    assert (outcome.reason, outcome.temporary) == ("dictionary-attack", True)
    assert outcome.detail == "192.0.2.7/32: 10 of 13 unknown in 60 min"
    assert outcome.text == "too many unknown recipients from 192.0.2.7/32 in 60 min; please try again later"


def test_a_dead_state_is_unknown() -> None:
    assert judge(dictionary_attack, query(), options(), state=Dead("tally")) == Unknown("the disk is gone")


def test_declaration() -> None:
    declaration = declared(dictionary_attack)
    assert declaration is not None
    assert declaration.stages == {"rcpt"}
    assert (declaration.action, declaration.spare_known) == ("defer", True)
    assert documented_defaults(dictionary_attack) == DEFAULTS
    assert declaration.idle(options(limit=0))
    assert not declaration.idle(options())
    assert tuple(declaration.counts(options())) == ("valid_recipient",)
