"""The public API of a check's tests: queries, answers from a dict, from DNS in a dict and from a real state."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.check import Alias, Ask, AtData, Block, Hit, Outcome, Place, Query, Reserve, Unknown
from eximacl.testing import NOW, Blocked, Dns, MemoryState, decision_of, outcome_of, query


async def asks(query: Query, options: Any, ask: Ask) -> Outcome:
    block = await ask.blocked(f"all:{query.mailbox}")
    if isinstance(block, Block):
        return Hit("blocked", block.why, "not here")
    found = await ask.look_up("mx.example.net", "A")
    return found if isinstance(found, Unknown) else Hit("found", " ".join(found), f"at {query.now}") if found else None


async def shows(query: Query, options: Any, ask: Ask) -> Outcome:
    return Hit(ask.action, " ".join(ask.observed), str(ask.replaying_at_data))


async def counts(query: Query, options: Any, ask: Ask) -> Outcome:
    def objection(place: Place) -> Hit:
        return Hit(place.slot, str(place.limit), "no slot left", temporary=place.slot == "pending")

    return Alias("steve", Reserve("key", 1, objection))


async def waits(query: Query, options: Any, ask: Ask) -> Outcome:
    return AtData()


def test_a_query_has_sensible_values() -> None:
    made = query()
    assert (made.stage, str(made.recipient), str(made.sender)) == ("rcpt", "steve@example.org", "sender@example.net")
    assert query("helo", helo="h").helo == "h"
    assert str(query(from_="").sender) == ""
    assert (query().now, query(dry="1").dry) == (NOW, True)


def test_a_question_is_answered_from_the_dict_first() -> None:
    block = Block("all:steve", NOW, NOW + 60, "by hand")
    assert outcome_of(asks, query(), answers={Blocked("all:steve"): block}) == Hit("blocked", "by hand", "not here")


def test_then_from_the_state_and_from_dns() -> None:
    state, dns = MemoryState(), Dns("mx.example.net A 192.0.2.7, 192.0.2.8")
    assert outcome_of(asks, query(), state=state, dns=dns, now=5.0) == Hit("found", "192.0.2.7 192.0.2.8", "at 5.0")
    assert dns.asked == [("mx.example.net", "A")]
    state.block("all:steve", NOW, NOW + 60, "by hand")
    assert outcome_of(asks, query(), state=state, dns=dns) == Hit("blocked", "by hand", "not here")


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({}, None),
        ({("mx.example.net", "A"): Unknown("no answer in time")}, Unknown("no answer in time")),
        ("mx.example.net A SERVFAIL", Unknown("the name server answered SERVFAIL")),
        ('other.example TXT "a b"', None),
    ],
)
def test_what_dns_says(records: Any, expected: Outcome) -> None:
    assert outcome_of(asks, query(), dns=Dns(records)) == expected


def test_without_dns_a_look_up_is_unknown() -> None:
    assert outcome_of(asks, query()) == Unknown("there is no DNS here")


def test_what_a_check_sees() -> None:
    seen = outcome_of(shows, query(), observed=("a", "b"), action="observe", replaying_at_data=True)
    assert seen == Hit("observe", "a b", "True")


def test_a_decision_shows_what_follows_from_an_outcome() -> None:
    state = MemoryState()
    assert decision_of(counts, query(tx="1"), state=state).want == ("data", "end")
    assert decision_of(counts, query(tx="2"), state=state).word == "defer"
    state.commit("1", NOW)
    assert decision_of(counts, query(tx="2"), state=state).word == "reject"
    assert decision_of(waits, query()).want == ("data",)
    assert decision_of(shows, query(), action="hold").word == "hold"
