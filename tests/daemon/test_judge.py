"""Queries in, replies, records and counts out, with a real policy and a real (memory) state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from typing import Any, cast

import pytest

from eximacl.archive.hold import ArchiveResult
from eximacl.check import Ask, Hit, Outcome, Query, Unknown
from eximacl.daemon.judge import Judge
from eximacl.policy.engine import DomainPolicy, Policy, Step
from eximacl.policy.query import Stage
from eximacl.policy.questions import Answered, RecordKind
from eximacl.policy.state import StateError
from eximacl.protocol.exim import ProtocolError, Reply, format_query, parse_reply
from eximacl.records.decision import DecisionRecord
from eximacl.state import open_state

RCPT = {"tx": "1-1", "ip": "192.0.2.7", "from": "a@example.net", "rcpt": "steve@example.org"}
NOW = 1_800_000_000.0


async def passes(_query: Query, _options: Any, _ask: Ask) -> Outcome:
    return None


async def objects(query: Query, _options: Any, _ask: Ask) -> Outcome:
    return Hit("some-reason", "some detail", f"no mail from {query.sender}", status="7.1")


async def counts(_query: Query, _options: Any, ask: Ask) -> Outcome:
    place = await ask.reserve("a-key", 1)
    if isinstance(place, Unknown):
        return place
    return None if place == "reserved" else Hit("full", place, "no place left", temporary=place == "pending")


class Late:
    """A network whose answers only waiting brings."""

    def deadline(self) -> float:
        return 0.0

    async def look_up(self, asked: Sequence[tuple[str, RecordKind]], until: float) -> Answered:
        await asyncio.sleep(0)
        return tuple(("at last",) for _ in asked)

    def list_fault(self, zone: str) -> str:
        return ""


async def waits(_query: Query, _options: Any, ask: Ask) -> Outcome:
    found = await ask.look_up("mx.example.net", "TXT")
    return Hit("waited", str(found), "you waited for this")


def judge_with(*functions: Any, on_unknown: Any = "accept", **kinds: Any) -> tuple[Judge, list[DecisionRecord]]:
    """A judge over these checks for example.org, and what it records."""
    stages: frozenset[Stage] = frozenset({"rcpt"})
    steps = tuple(Step(f.__name__, f, None, stages=stages, on_unknown=on_unknown) for f in functions)
    records: list[DecisionRecord] = []
    judge = Judge(
        Policy({"example.org"}, DomainPolicy(steps)),
        kinds.get("state") or open_state("memory:"),
        next_ref=lambda _: "7KQ2M9D4",
        records=(records.append,),
        clock=lambda: NOW,
        timer=iter(range(1000)).__next__,
    )
    return judge, records


def reply_to(judge: Judge, word: str = "rcpt", **values: str) -> Reply:
    data = judge.judge(format_query(word, {**RCPT, **values}).rstrip(b"\n"))
    assert isinstance(data, bytes)
    assert data.endswith(b"\n")
    return parse_reply(data.rstrip(b"\n"))


def test_accept_has_a_reference_and_no_text() -> None:
    judge, records = judge_with(passes)
    reply = reply_to(judge)
    assert (reply.verdict, reply.code, reply.ref, reply.message, reply.want) == ("accept", 250, "7KQ2M9D4", "", "")
    assert records[0].decision.word == "accept"
    assert records[0].now == NOW


def test_reject_tells_client_and_log_why_with_the_reference() -> None:
    judge, records = judge_with(passes, objects)
    reply = reply_to(judge)
    assert (reply.verdict, reply.code, reply.reason) == ("reject", 550, "some-reason")
    assert reply.message == "5.7.1 no mail from a@example.net (ref 7KQ2M9D4)"
    assert reply.log == "eximacl: objects some-reason some detail (ref 7KQ2M9D4)"
    assert records[0].reply.message == reply.message
    assert records[0].line.startswith(b"rcpt v=1 ")


@pytest.mark.parametrize("letter", ["x", "ü", "\udcff"])
def test_a_long_text_never_costs_the_reference(letter: str) -> None:
    judge, _ = judge_with(objects)
    reply = reply_to(judge, **{"from": f"{letter * 380}@example.net"})
    assert reply.message.startswith("5.7.1 no mail from ")
    assert reply.message.endswith(" (ref 7KQ2M9D4)")
    assert reply.log.endswith(" (ref 7KQ2M9D4)")


def test_counts_each_verdict_once() -> None:
    judge, _ = judge_with(objects)
    reply_to(judge)
    reply_to(judge, rcpt="steve@elsewhere.example")
    judge.judge(b"nonsense")
    assert judge.counts == {"accept": 1, "defer": 0, "reject": 1, "hold": 0, "error": 1, "dry": 0}


@pytest.mark.parametrize(
    "line", [b"", b"nonsense", b"rcpt v=2 ip=1", b"rcpt v=1 ip=192.0.2.7", b'rcpt "', b"control v=1 do=x"]
)
def test_what_is_no_query_gets_an_error_and_no_record(line: bytes) -> None:
    judge, records = judge_with(passes)
    data = judge.judge(line)
    assert isinstance(data, bytes)
    assert parse_reply(data.rstrip()).verdict == "error"
    assert not records


def test_refuse_is_an_error_reply() -> None:
    judge, _ = judge_with(passes)
    reply = parse_reply(judge.refuse(ProtocolError("deadline", "too slow")).rstrip())
    assert (reply.verdict, reply.reason, reply.message) == ("error", "deadline", "too slow")


def test_dry_changes_nothing_and_explains_itself() -> None:
    judge, records = judge_with(passes, counts)
    reply = reply_to(judge, dry="1")
    assert reply.verdict == "accept"
    assert reply.ref == ""
    assert [line["check"] for line in json.loads(reply.extra["trace"])] == ["passes", "counts"]
    assert json.loads(reply.extra["questions"]) == [["counts", "reserve", "a-key", 1, "1-1", "reserved"]]
    assert not records
    assert judge.counts["accept"] == 0
    assert judge.counts["dry"] == 1
    assert judge.state.places("a-key", NOW) == (0, 0)


def test_a_place_is_reserved_committed_and_then_used_up() -> None:
    judge, records = judge_with(counts)
    assert reply_to(judge).want == "data end"
    assert reply_to(judge, tx="2-2").verdict == "defer"
    assert reply_to(judge, "data", rcpts="steve@example.org", want="data end").verdict == "accept"
    assert reply_to(judge, tx="3-3").verdict == "reject"
    assert [one.as_list() for one in records[0].asked] == [["counts", "reserve", "a-key", 1, "1-1", "reserved"]]


def test_end_gives_the_place_back() -> None:
    judge, _ = judge_with(counts)
    reply_to(judge)
    assert reply_to(judge, "end").verdict == "accept"
    assert reply_to(judge, tx="2-2").verdict == "accept"


class DeadState:
    """A backend that is gone (a full disk and a locked file are made for real in tests/state)."""

    def __getattr__(self, verb: str) -> Any:
        def fail(*_: Any) -> None:
            raise StateError(f"{verb}: the backend is gone")

        return fail


@pytest.mark.parametrize(("on_unknown", "word"), [("accept", "accept"), ("defer", "defer")])
def test_a_dead_state_is_unknown_and_never_a_5xx(on_unknown: str, word: str) -> None:
    judge, records = judge_with(counts, on_unknown=on_unknown, state=DeadState())
    assert reply_to(judge).verdict == word
    assert records[0].asked[0].as_list()[-1] == {"unknown": "reserve: the backend is gone"}
    assert reply_to(judge, "data", rcpts="steve@example.org", want="data end").verdict == "defer"


async def divides(_query: Query, _options: Any, _ask: Ask) -> Outcome:
    return 1 // 0  # type: ignore[return-value]


def test_a_bug_in_a_check_is_logged_once_a_minute_and_the_others_decide(caplog: pytest.LogCaptureFixture) -> None:
    judge, records = judge_with(divides, objects)
    assert reply_to(judge).reason == "some-reason"
    reply_to(judge)
    assert caplog.text.count("the check divides has a bug") == 1
    assert "ZeroDivisionError" in caplog.text
    assert records[0].decision.trace[0].result == "unknown"


async def test_what_must_be_waited_for_is_awaited() -> None:
    judge, records = judge_with(waits)
    judge.network = Late()
    result = judge.judge(format_query("rcpt", RCPT).rstrip(b"\n"))
    reply = parse_reply((await cast("Awaitable[bytes]", result)).rstrip())
    assert reply.reason == "waited"
    assert records[0].decision.detail == "('at last',)"
    assert records[0].asked[0].answer == (("at last",),)


# ---- held messages

HELD = {
    "rcpts": "steve@example.org",
    "held": "8RB3N2E5",
    "held_reason": "some-reason",
    "held_check": "objects",
    "held_message": "5.1.1 not here (ref 8RB3N2E5)",
    "held_sentence": "Mail for steve not accepted",
}


async def held_reply(
    kept: ArchiveResult, word: str = "data", **values: str
) -> tuple[Reply, Judge, list[DecisionRecord], list[Query]]:
    judge, records = judge_with(objects)
    asked: list[Query] = []

    async def keep(query: Query, now: float) -> ArchiveResult:
        assert now == NOW
        asked.append(query)
        return kept

    judge.keep = keep
    data = judge.judge(format_query(word, {**RCPT, **HELD, **values}).rstrip(b"\n"))
    return parse_reply((data if isinstance(data, bytes) else await data).rstrip(b"\n")), judge, records, asked


def test_a_hold_says_what_the_snippet_sends_back() -> None:
    """At RCPT: the check and the sentence go with the reply, since the daemon forgets them until DATA."""

    async def sells_nothing(_query: Query, _options: Any, _ask: Ask) -> Outcome:
        return Hit("some-reason", "detail", "not here", "Mail \n not accepted" + "x" * 500, status="1.1")

    judge, records = judge_with()
    step = Step("sells_nothing", sells_nothing, None, stages=frozenset({"rcpt"}), action="hold")
    judge.policy = Policy({"example.org"}, DomainPolicy((step,)))
    reply = reply_to(judge)
    assert (reply.verdict, reply.code, reply.message) == ("hold", 550, "5.1.1 not here (ref 7KQ2M9D4)")
    assert "data" in reply.want.split()
    assert reply.extra["check"] == "sells_nothing"
    assert reply.extra["sentence"].startswith("Mail   not accepted")
    assert len(reply.extra["sentence"]) <= 400
    assert records[0].decision.word == "hold"


async def test_a_held_message_is_refused_once_it_is_kept() -> None:
    reply, judge, (record,), (query,) = await held_reply(ArchiveResult(("one.example.org", "one.example.com")))
    assert query.stage == "data"
    assert (reply.verdict, reply.code, reply.reason, reply.ref) == ("reject", 550, "some-reason", "8RB3N2E5")
    assert reply.message == "5.1.1 not here (ref 8RB3N2E5)"
    assert reply.log == "eximacl: held, archived (ref 8RB3N2E5)"
    assert (record.ref, record.filename, record.decision.word) == (
        "8RB3N2E5",
        "one.example.org one.example.com",
        "hold",
    )
    assert (record.decision.check, record.decision.sentence) == ("objects", "Mail for steve not accepted")
    assert (judge.counts["hold"], judge.counts["reject"]) == (1, 0)


async def test_what_cannot_be_kept_is_refused_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    reply, judge, (record,), _ = await held_reply(ArchiveResult((), "the disk is full"))
    assert (reply.verdict, reply.code, reply.message) == ("reject", 550, "5.1.1 not here (ref 8RB3N2E5)")
    assert reply.log == "eximacl: held, not archived (ref 8RB3N2E5)"
    assert (record.filename, record.decision.word, record.decision.detail) == ("", "reject", "the disk is full")
    assert (judge.counts["hold"], judge.counts["reject"]) == (0, 1)
    assert (judge.not_archived, judge.last_not_archived) == (1, "8RB3N2E5: the disk is full")
    assert caplog.messages == ["the held message 8RB3N2E5 is refused without being archived: the disk is full"]


async def test_a_held_message_without_words_still_gets_some() -> None:
    reply, _, (record,), _ = await held_reply(ArchiveResult(("one",)), held="none", held_message="", held_sentence="")
    assert reply.message == "5.7.1 this message is not accepted here"
    assert (reply.ref, record.ref) == ("7KQ2M9D4", "7KQ2M9D4")
    assert record.decision.sentence == "Mail not accepted"


@pytest.mark.parametrize(("word", "dry"), [("rcpt", ""), ("data", "1")])
async def test_a_dry_query_and_one_at_rcpt_are_never_kept(word: str, dry: str) -> None:
    reply, _, _, asked = await held_reply(ArchiveResult(("one",)), word, **({"dry": dry} if dry else {}))
    assert asked == []
    assert "held, " not in reply.log


def test_without_an_archive_a_held_query_is_judged_like_any_other() -> None:
    judge, _ = judge_with(objects)
    assert reply_to(judge, "data", **HELD).verdict == "accept"
