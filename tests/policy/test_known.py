"""Known senders are spared by the steps that are told to spare them, and by no others."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.check import Ask, Hit, Outcome, Query
from eximacl.daemon.answers import Answers as StateAnswers
from eximacl.daemon.answers import NoNetwork
from eximacl.policy.drive import drive_now
from eximacl.policy.engine import decide
from eximacl.policy.known import known_key
from eximacl.policy.plan import DomainPolicy, Policy, Step
from eximacl.state import MemoryState
from tests.asking import NOW, Dead, query


async def _objects(_query: Query, _options: Any, _ask: Ask) -> Outcome:
    return Hit("some-hit", "", "no")


def _sparing(*spared: bool) -> Policy:
    steps = tuple(
        Step(f"c{number}", _objects, None, stages=frozenset(("mail", "rcpt")), spare_known=known, action="observe")
        for number, known in enumerate(spared)
    )
    return Policy({"example.org", "example.com"}, DomainPolicy(steps))


@pytest.mark.parametrize(
    ("sender", "rcpt", "known"),
    [
        ("ann@partner.example", "steve@example.org", True),
        ("ANN+x@Partner.example", "juha@example.org", True),
        ("prvs=0787b0b1b2=ann@partner.example", "steve@example.org", True),
        ("SRS0=H=T=partner.example=ann@fwd.example", "steve@example.org", True),
        ("ann@partner.example", "steve@example.com", False),
        ("eve@partner.example", "steve@example.org", False),
        ("", "steve@example.org", False),
    ],
)
def test_known_senders_are_spared(sender: str, rcpt: str, known: bool) -> None:
    state = MemoryState()
    state.first_seen(known_key("example.org", "ann@partner.example"), NOW, NOW + 1000)
    asked = query(from_=sender, rcpt=rcpt)._replace(now=NOW)
    answers = StateAnswers(state, NoNetwork(), asked)
    decision = drive_now(decide(_sparing(True, False, True), asked), answers)
    spared = ("exempt", "known-sender") if known else ("observe", "some-hit")
    assert [line[1:3] for line in decision.trace] == [spared, ("observe", "some-hit"), spared]
    assert len(answers.asked) == (0 if not sender else 1)


def test_nobody_is_asked_where_no_check_spares_them() -> None:
    asked = query()._replace(now=NOW)
    answers = StateAnswers(MemoryState(), NoNetwork(), asked)
    drive_now(decide(_sparing(False), asked), answers)
    assert answers.asked == []


def test_where_the_state_is_dead_nobody_is_known() -> None:
    asked = query()._replace(now=NOW)
    decision = drive_now(decide(_sparing(True), asked), StateAnswers(Dead("seen"), NoNetwork(), asked))
    assert decision.trace[0].result == "observe"


def test_before_there_is_a_recipient_nobody_is_known() -> None:
    asked = query("mail")._replace(now=NOW)
    decision = drive_now(decide(_sparing(True), asked), StateAnswers(MemoryState(), NoNetwork(), asked))
    assert decision.trace[0].result == "observe"
