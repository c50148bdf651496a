"""What is decided about a query: the verdict with its reference, counted; bugs and lost messages are logged."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any, cast

import pytest

from eximacl.check import Ask, Hit, Outcome, Query, Unknown
from eximacl.config import load
from eximacl.daemon.judge import Judge
from eximacl.policy.outcome import Action
from eximacl.policy.plan import DomainPolicy, Policy, Step
from eximacl.records.decision import Judgement
from eximacl.state import MemoryState
from eximacl.testing import NOW, query

REF = "7KQ2M9D4"


async def objects(_query: Query, _options: Any, _ask: Ask) -> Outcome:
    return Hit("some-reason", "some detail", "not here")


async def divides(_query: Query, _options: Any, _ask: Ask) -> Outcome:
    return 1 // 0  # type: ignore[return-value]


def judge_with(*functions: Any, action: Action = "reject", **kinds: Any) -> Judge:
    steps = tuple(Step(f.__name__, f, None, stages=frozenset({"rcpt"}), action=action) for f in functions)
    policy = Policy({"example.org"}, DomainPolicy(steps))
    return Judge(policy, MemoryState(), next_ref=lambda now: REF if now == NOW else "", **kinds)


def judged(judge: Judge, asked: Query) -> Judgement:
    found = judge.judge(asked)
    assert isinstance(found, Judgement)
    return found


def test_a_decision_has_a_reference_of_its_time() -> None:
    asked = query()
    found = judged(judge_with(objects), asked)
    assert (found.ref, found.query, found.decision.word, found.asked) == (REF, asked, "reject", [])


def test_a_dry_one_has_none() -> None:
    judge = judge_with(objects)
    assert judged(judge, query(dry="1")).ref == ""
    assert judge.counts == {"accept": 0, "defer": 0, "reject": 0, "hold": 0, "dry": 1}


def test_counts_each_verdict_once() -> None:
    judge = judge_with(objects)
    judged(judge, query())
    judged(judge, query(rcpt="steve@elsewhere.example"))
    assert judge.counts == {"accept": 1, "defer": 0, "reject": 1, "hold": 0, "dry": 0}


def test_an_owner_with_too_many_new_addresses_is_named_for_a_day(tmp_path: Path) -> None:
    (tmp_path / "eximacl.toml").write_text('[policy]\ndomains = ["example.org"]\norder = ["disposable"]\n')
    now = [NOW]
    policy = load(tmp_path / "eximacl.toml").policy
    judge = Judge(policy, MemoryState(), next_ref=lambda _now: REF, clock=lambda: now[0])
    for number in range(26):
        assert judge.crowding() == []
        judged(judge, query(rcpt=f"steve+{number}.1.count@example.org"))
    (line,) = judge.crowding()
    assert line.startswith("too many new disposable addresses: mail to steve+25.1.count@example.org was put off at ")
    now[0] += 86401
    assert judge.crowding() == []


def test_each_check_is_timed_in_a_dry_query_only() -> None:
    judge = judge_with(objects, timer=iter(range(9)).__next__)
    traces = [judged(judge, asked).decision.trace for asked in (query(), query(dry="1"))]
    assert [line.seconds for trace in traces for line in trace] == [0, 1]


def test_a_bug_in_a_check_is_logged_once_a_minute_and_the_others_decide(caplog: pytest.LogCaptureFixture) -> None:
    judge = judge_with(divides, objects)
    assert [judged(judge, query()).decision.reason for _ in range(2)] == ["some-reason"] * 2
    assert caplog.text.count("the check divides has a bug") == 1
    assert "ZeroDivisionError" in caplog.text


async def held(archived: tuple[str, ...] | Unknown, ref: str = "8RB3N2E5") -> tuple[Judge, Judgement]:
    async def archive(_query: Query, _now: float) -> tuple[str, ...] | Unknown:
        return archived

    judge = judge_with(archive=archive)
    return judge, await cast("Awaitable[Judgement]", judge.judge(query("data", held=ref, held_reason="some-reason")))


@pytest.mark.parametrize(("held_as", "ref"), [("8RB3N2E5", "8RB3N2E5"), ("none", REF)])
async def test_a_held_message_keeps_its_reference(held_as: str, ref: str) -> None:
    judge, found = await held(("one.example.org",), held_as)
    assert (found.ref, found.decision.word, found.decision.archived) == (ref, "hold", ("one.example.org",))
    assert (judge.counts["hold"], judge.counts["reject"], judge.not_archived) == (1, 0, 0)


async def test_what_cannot_be_archived_is_told(caplog: pytest.LogCaptureFixture) -> None:
    judge, found = await held(Unknown("the disk is full"))
    assert found.decision.word == "reject"
    assert (judge.counts["hold"], judge.counts["reject"]) == (0, 1)
    assert (judge.not_archived, judge.last_not_archived) == (1, "8RB3N2E5: the disk is full")
    assert caplog.messages == ["the held message 8RB3N2E5 is refused without being archived: the disk is full"]
