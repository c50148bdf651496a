"""A message with very many recipients at DATA: once what is once, bounded what grows, and others get their turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eximacl.check import Ask, AtData, Hit, Outcome, Query
from eximacl.daemon.answers import Answers, NoNetwork
from eximacl.mail.lists import Recipients
from eximacl.policy.at_data import PAUSE_RECIPIENTS, TRACE_LINES_MAX
from eximacl.policy.drive import Pending, drive, drive_now
from eximacl.policy.engine import decide
from eximacl.policy.outcome import Decision
from eximacl.policy.plan import DomainPolicy, Exempt, Policy, Step
from eximacl.policy.questions import Pause
from eximacl.protocol.exim import RECIPIENTS_MAX, ProtocolError
from eximacl.state import MemoryState
from tests.asking import query

MANY = 5 * PAUSE_RECIPIENTS


class Noting:
    """A check that notes for whom it ran, and objects to one localpart."""

    def __init__(self, outcome: Outcome = None) -> None:
        self.ran: list[str] = []
        self._outcome = outcome

    async def __call__(self, asked: Query, _options: Any, _ask: Ask) -> Outcome:
        self.ran.append(str(asked.recipient))
        return self._outcome if not asked.mailbox.startswith("good") else None


def step(run: Any, **kinds: Any) -> Step:
    return Step(kinds.pop("name", "a"), run, None, stages=frozenset({"data"}), **kinds)


def decided(asked: Query, *steps: Step, **domains: DomainPolicy) -> Decision:
    policy = Policy(
        {"example.org", "example.com"}, DomainPolicy(steps), {"example.com": DomainPolicy(steps), **domains}
    )
    answers = Answers(MemoryState(), NoNetwork(), asked)
    return drive_now(decide(policy, asked), lambda one: None if isinstance(one.question, Pause) else answers(one))


def to(*recipients: str) -> Query:
    return query("data", rcpts=", ".join(recipients))


MANY_RECIPIENTS = [f"good{number}@example.org" for number in range(MANY)]


def test_what_judges_the_message_runs_once_and_the_others_for_each() -> None:
    whole, each = Noting(), Noting()
    found = decided(to(*MANY_RECIPIENTS, "good@example.com"), step(whole, once=True), step(each, name="b"))
    assert whole.ran == MANY_RECIPIENTS[:1]
    assert each.ran == [*MANY_RECIPIENTS, "good@example.com"]
    assert found.word == "accept"


def test_it_runs_for_the_first_that_is_not_exempt() -> None:
    whole = Noting(Hit("no", "", "no"))
    exempt = (Exempt(recipients=Recipients(["bad1@example.org", "bad2@example.org"])),)
    found = decided(
        to("bad1@example.org", "bad2@example.org", "bad3@example.org"), step(whole, once=True, exempt=exempt)
    )
    assert whole.ran == ["bad3@example.org"]
    assert [(line.check, line.result) for line in found.trace] == [("a", "exempt"), ("a", "exempt"), ("a", "reject")]


def test_a_domain_with_another_policy_asks_for_itself() -> None:
    here, there = Noting(), Noting()
    other = DomainPolicy((step(there, once=True),))
    decided(
        to("good@example.org", "good@example.com", "x@example.com"), step(here, once=True), **{"example.com": other}
    )
    assert (here.ran, there.ran) == (["good@example.org"], ["good@example.com"])


def test_one_that_listens_to_others_runs_for_each() -> None:
    listening, heard = Noting(), Noting(AtData())
    steps = step(heard, name="b", action="observe"), step(listening, once=True, listens_to={"b"})
    decided(to("good@example.org", "x@example.org"), *steps)
    assert listening.ran == ["good@example.org", "x@example.org"]


def test_the_trace_is_cut_and_keeps_who_was_refused() -> None:
    noting = Noting(Hit("no", "", "no"))
    noted = step(noting, action="observe")
    recipients = [f"x{number}@example.org" for number in range(TRACE_LINES_MAX + 20)]
    found = decided(to(*recipients), noted)
    assert len(found.trace) == TRACE_LINES_MAX + 1
    assert found.trace[-1][:4] == ("policy", "pass", "cut", "20 lines about other recipients are left out")
    last = step(Noting(Hit("last", "", "no")), name="b")
    strict = DomainPolicy((last,))
    found = decided(to(*recipients, "y@example.com"), noted, **{"example.com": strict})
    assert (found.word, found.trace[-1].reason, len(found.trace)) == ("reject", "last", TRACE_LINES_MAX + 2)


def test_a_bug_is_told_once() -> None:
    async def broken(_query: Query, _options: Any, _ask: Ask) -> Outcome:
        raise RuntimeError("a bug")

    found = decided(to(*MANY_RECIPIENTS), step(broken))
    assert (found.word, [bug.check for bug in found.bugs]) == ("accept", ["a"])


@pytest.mark.parametrize(("recipients", "pauses"), [(PAUSE_RECIPIENTS - 1, 0), (PAUSE_RECIPIENTS, 1), (MANY, 5)])
def test_others_get_their_turn_in_between(recipients: int, pauses: int) -> None:
    asked = to(*MANY_RECIPIENTS[:recipients])
    policy = Policy({"example.org"}, DomainPolicy((step(Noting()),)))
    answers = Answers(MemoryState(), NoNetwork(), asked)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def both() -> Decision:
        task = asyncio.ensure_future(other())
        found = drive(decide(policy, asked), answers)
        found = await found.finish() if isinstance(found, Pending) else found
        task.cancel()
        return found

    assert asyncio.run(both()).word == "accept"
    assert turns == pauses
    assert answers.asked == []


def test_more_recipients_than_exim_takes_by_itself_are_not_read() -> None:
    assert len(to(*["a@b"] * RECIPIENTS_MAX).recipients) == RECIPIENTS_MAX
    with pytest.raises(ProtocolError, match="recipients_max") as caught:
        to(*["a@b"] * (RECIPIENTS_MAX + 1))
    assert caught.value.reason == "too-many-recipients"
