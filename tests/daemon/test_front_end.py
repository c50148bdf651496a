"""Bytes in, replies and records out, with a real policy and a real (memory) state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple, cast

import pytest

from eximacl.check import Ask, Hit, Outcome, Query, Reserve, Unknown
from eximacl.daemon.front_end import EximFrontEnd
from eximacl.daemon.judge import Judge
from eximacl.policy.plan import DomainPolicy, Policy, Step
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


async def counts(_query: Query, _options: Any, _ask: Ask) -> Outcome:
    return Reserve("a-key", 1, lambda place: Hit("full", "full", "no slot left", temporary=place.slot == "pending"))


class Late:
    """A network whose answers only waiting brings."""

    budget_seconds = 3.0

    async def look_up(self, asked: Sequence[tuple[str, RecordKind]], seconds: float) -> Answered:
        await asyncio.sleep(0)
        return tuple(("at last",) for _ in asked)

    def list_fault(self, zone: str) -> str:
        return ""


async def waits(_query: Query, _options: Any, ask: Ask) -> Outcome:
    found = await ask.look_up("mx.example.net", "TXT")
    return Hit("waited", str(found), "you waited for this")


class Exim(NamedTuple):
    """A front-end over these checks for example.org, its judge, and what it records."""

    front_end: EximFrontEnd
    judge: Judge
    records: list[DecisionRecord]

    def reply_to(self, word: str = "rcpt", **values: str) -> Reply:
        data = self.front_end.handle(format_query(word, {**RCPT, **values}).rstrip(b"\n"))
        assert isinstance(data, bytes)
        assert data.endswith(b"\n")
        return parse_reply(data.rstrip(b"\n"))


def exim_with(*functions: Any, on_unknown: Any = "accept", action: Any = "reject", **kinds: Any) -> Exim:
    stages: frozenset[Stage] = frozenset({"rcpt"})
    steps = tuple(Step(f.__name__, f, None, stages=stages, action=action, on_unknown=on_unknown) for f in functions)
    records: list[DecisionRecord] = []
    policy = Policy({"example.org"}, DomainPolicy(steps))
    timer = iter(range(1000)).__next__
    state = kinds.pop("state", None) or open_state("memory:")
    judge = Judge(policy, state, next_ref=lambda _: "7KQ2M9D4", timer=timer, **kinds)
    return Exim(EximFrontEnd(judge, records.append, clock=lambda: NOW), judge, records)


def test_accept_has_a_reference_and_no_text() -> None:
    exim = exim_with(passes)
    reply = exim.reply_to()
    assert (reply.verdict, reply.code, reply.ref, reply.message, reply.want) == ("accept", 250, "7KQ2M9D4", "", "")
    assert exim.records[0].decision.word == "accept"
    assert exim.records[0].query.now == NOW


def test_reject_tells_client_and_log_why_with_the_reference() -> None:
    exim = exim_with(passes, objects)
    reply = exim.reply_to()
    assert (reply.verdict, reply.code, reply.reason) == ("reject", 550, "some-reason")
    assert reply.message == "5.7.1 no mail from a@example.net (ref=7KQ2M9D4)"
    assert reply.log == "eximacl: objects some-reason some detail (ref=7KQ2M9D4)"
    assert (exim.records[0].code, exim.records[0].message, exim.records[0].log) == (550, reply.message, reply.log)
    assert exim.records[0].protocol == "exim"
    assert exim.records[0].line.startswith(b"rcpt v=1 ")


@pytest.mark.parametrize("letter", ["x", "ü", "\udcff"])
def test_a_long_text_never_costs_the_reference(letter: str) -> None:
    exim = exim_with(objects)
    reply = exim.reply_to(**{"from": f"{letter * 380}@example.net"})
    assert reply.message.startswith("5.7.1 no mail from ")
    assert reply.message.endswith(" (ref=7KQ2M9D4)")
    assert reply.log.endswith(" (ref=7KQ2M9D4)")


def test_counts_what_is_not_a_query() -> None:
    exim = exim_with(objects)
    exim.reply_to()
    exim.front_end.handle(b"nonsense")
    assert exim.front_end.errors == 1


@pytest.mark.parametrize(
    "line", [b"", b"nonsense", b"rcpt v=2 ip=1", b"rcpt v=1 ip=192.0.2.7", b'rcpt "', b"control v=1 do=x"]
)
def test_what_is_no_query_gets_an_error_and_no_record(line: bytes) -> None:
    exim = exim_with(passes)
    data = exim.front_end.handle(line)
    assert isinstance(data, bytes)
    assert parse_reply(data.rstrip()).verdict == "error"
    assert not exim.records


def test_refuse_is_an_error_reply() -> None:
    exim = exim_with(passes)
    reply = parse_reply(exim.front_end.refuse(ProtocolError("deadline", "too slow")).rstrip())
    assert (reply.verdict, reply.reason, reply.message) == ("error", "deadline", "too slow")


def test_dry_changes_nothing_and_explains_itself() -> None:
    exim = exim_with(passes, counts)
    reply = exim.reply_to(dry="1")
    assert reply.verdict == "accept"
    assert reply.ref == ""
    assert [line["check"] for line in json.loads(reply.extra["trace"])] == ["passes", "counts", "counts"]
    assert json.loads(reply.extra["questions"]) == [
        ["counts", "peek", "a-key", 1, "1-1", "reserved 1 of 1"],
        ["counts", "reserve", "a-key", 1, "1-1", "reserved 1 of 1"],
    ]
    assert [record.query.dry for record in exim.records] == [True]  # which is for the recorder to leave out
    assert exim.judge.state.places("a-key", NOW) == (0, 0)


def test_a_place_is_reserved_committed_and_then_used_up() -> None:
    exim = exim_with(counts)
    assert exim.reply_to().want == "data end"
    assert exim.reply_to(tx="2-2").verdict == "defer"
    assert exim.reply_to("data", rcpts="steve@example.org", want="data end").verdict == "accept"
    assert exim.reply_to(tx="3-3").verdict == "reject"
    assert [one.as_list() for one in exim.records[0].asked] == [
        ["counts", "peek", "a-key", 1, "1-1", "reserved 1 of 1"],
        ["counts", "reserve", "a-key", 1, "1-1", "reserved 1 of 1"],
    ]


def test_end_gives_the_place_back() -> None:
    exim = exim_with(counts)
    exim.reply_to()
    assert exim.reply_to("end").verdict == "accept"
    assert exim.reply_to(tx="2-2").verdict == "accept"


class DeadState:
    """A backend that is gone (a full disk and a locked file are made for real in tests/state)."""

    def __getattr__(self, verb: str) -> Any:
        def fail(*_: Any) -> None:
            raise StateError(f"{verb}: the backend is gone")

        return fail


@pytest.mark.parametrize(("on_unknown", "word"), [("accept", "accept"), ("defer", "defer")])
def test_a_dead_state_is_unknown_and_never_a_5xx(on_unknown: str, word: str) -> None:
    exim = exim_with(counts, on_unknown=on_unknown, state=DeadState())
    assert exim.reply_to().verdict == word
    assert exim.records[0].asked[-1].as_list()[-1] == {"unknown": "reserve: the backend is gone"}
    assert exim.reply_to("data", rcpts="steve@example.org", want="data end").verdict == "defer"


async def test_what_must_be_waited_for_is_awaited() -> None:
    exim = exim_with(waits, network=Late())
    result = exim.front_end.handle(format_query("rcpt", RCPT).rstrip(b"\n"))
    reply = parse_reply((await cast("Awaitable[bytes]", result)).rstrip())
    assert reply.reason == "waited"
    assert exim.records[0].decision.detail == "('at last',)"
    assert exim.records[0].asked[0].answer == (("at last",),)


# ---- held messages

HELD = {
    "rcpts": "steve@example.org",
    "held": "8RB3N2E5",
    "held_reason": "some-reason",
    "held_check": "objects",
    "held_message": "5.1.1 not here (ref=8RB3N2E5)",
    "held_sentence": "Mail for steve not accepted",
}


async def held_reply(archived: tuple[str, ...] | Unknown, word: str = "data", **values: str) -> tuple[Reply, Exim]:
    async def archive(query: Query, now: float) -> tuple[str, ...] | Unknown:
        assert (query.stage, now) == ("data", NOW)
        return archived

    exim = exim_with(objects, archive=archive)
    data = exim.front_end.handle(format_query(word, {**RCPT, **HELD, **values}).rstrip(b"\n"))
    return parse_reply((data if isinstance(data, bytes) else await data).rstrip(b"\n")), exim


def test_a_hold_says_what_the_snippet_sends_back() -> None:
    """At RCPT: the check and the sentence go with the reply, since the daemon forgets them until DATA."""

    async def sells_nothing(_query: Query, _options: Any, _ask: Ask) -> Outcome:
        return Hit("some-reason", "detail", "not here", "Mail \n not accepted" + "x" * 500, status="1.1")

    exim = exim_with(sells_nothing, action="hold")
    reply = exim.reply_to()
    assert (reply.verdict, reply.code, reply.message) == ("hold", 550, "5.1.1 not here (ref=7KQ2M9D4)")
    assert "data" in reply.want.split()
    assert reply.extra["check"] == "sells_nothing"
    assert reply.extra["sentence"].startswith("Mail   not accepted")
    assert len(reply.extra["sentence"]) <= 400
    assert exim.records[0].decision.word == "hold"


async def test_a_held_message_is_refused_once_it_is_archived() -> None:
    reply, exim = await held_reply(("one.example.org", "one.example.com"))
    (record,) = exim.records
    assert (reply.verdict, reply.code, reply.reason, reply.ref) == ("reject", 550, "some-reason", "8RB3N2E5")
    assert reply.message == "5.1.1 not here (ref=8RB3N2E5)"
    assert reply.log == "eximacl: held, archived (ref=8RB3N2E5)"
    assert (record.ref, record.decision.archived) == ("8RB3N2E5", ("one.example.org", "one.example.com"))
    assert (record.decision.word, record.code, record.message) == ("hold", 550, reply.message)


async def test_what_cannot_be_archived_is_refused_all_the_same() -> None:
    reply, exim = await held_reply(Unknown("the disk is full"))
    assert (reply.verdict, reply.code, reply.message) == ("reject", 550, "5.1.1 not here (ref=8RB3N2E5)")
    assert reply.log == "eximacl: held, not archived (ref=8RB3N2E5)"
    assert exim.records[0].decision.word == "reject"


async def test_a_held_message_without_words_still_gets_some() -> None:
    reply, exim = await held_reply(("one",), held="none", held_message="", held_sentence="")
    assert reply.message == "5.7.1 this message is not accepted here"
    assert (reply.ref, exim.records[0].ref) == ("7KQ2M9D4", "7KQ2M9D4")


@pytest.mark.parametrize(("word", "dry"), [("rcpt", ""), ("data", "1")])
async def test_a_dry_query_and_one_at_rcpt_are_never_archived(word: str, dry: str) -> None:
    reply, exim = await held_reply(("one",), word, **({"dry": dry} if dry else {}))
    assert exim.records[0].decision.archived == ()
    assert "held, " not in reply.log
