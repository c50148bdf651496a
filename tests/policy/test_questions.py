"""The questions: frozen values that yield themselves, and the state verb behind each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgpack
import pytest

from eximacl.policy import questions
from eximacl.policy.drive import drive_now
from eximacl.policy.outcome import Unknown
from eximacl.policy.places import NO_TERMS, Place
from eximacl.policy.query import Query
from eximacl.policy.questions import (
    QUESTIONS_OF_STATE,
    AnyQuestion,
    AnyRequest,
    ArchiveMessage,
    Ask,
    AskedQuestion,
    Blocked,
    CommitSlots,
    Count,
    CountEvents,
    FirstSeen,
    ListFault,
    ListFaults,
    Lookup,
    MakeBlock,
    PeekSlot,
    ReleaseSlots,
    Remember,
    Request,
    ReserveSlot,
    StateQuestion,
    WhenSeen,
    field_names,
)
from eximacl.policy.state import RESERVATION_SECONDS, Block, State
from eximacl.state import MemoryState

NOW = 1795450593.0
ASK = Ask("a_check")


class Calls:
    """A state that writes down each call and answers with its name."""

    def __init__(self) -> None:
        self.made: list[tuple[Any, ...]] = []

    def __getattr__(self, verb: str) -> Any:
        def call(*arguments: Any) -> str:
            self.made.append((verb, *arguments))
            return verb

        return call


@pytest.mark.parametrize(
    ("question", "call"),
    [
        (ReserveSlot("key", 3, "T"), ("reserve", "key", 3, "T", NOW, NOW + RESERVATION_SECONDS, NO_TERMS)),
        (PeekSlot("key", 3, "T"), ("peek", "key", 3, "T", NOW, NO_TERMS)),
        (CommitSlots("T"), ("commit", "T", NOW)),
        (ReleaseSlots("T"), ("release", "T")),
        (Count("key", 600, 20), ("count", "key", 600, 20, NOW)),
        (CountEvents("key", 600), ("tally", "key", 600, NOW)),
        (FirstSeen("key", 90), ("first_seen", "key", NOW, NOW + 90, False)),
        (FirstSeen("key", 90, evict=True), ("first_seen", "key", NOW, NOW + 90, True)),
        (WhenSeen("key"), ("seen", "key", NOW)),
        (Remember("key", 90), ("remember", "key", NOW, NOW + 90)),
        (Blocked("key"), ("blocked", "key", NOW)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_each_question_is_one_verb(question: StateQuestion[Any], call: tuple[Any, ...]) -> None:
    state: Any = Calls()
    assert question.put(state, NOW, dry=False) == call[0]
    assert state.made == [call]


def test_to_make_a_block_is_one_verb_and_has_no_answer_but_true() -> None:
    state: Any = Calls()
    assert MakeBlock("key", 90, "a storm").put(state, NOW, dry=False) is True
    assert state.made == [("block", "key", NOW, NOW + 90, "a storm")]


EMPTY: dict[StateQuestion[Any], Any] = {
    ReserveSlot("key", 1, "T"): Place("reserved", 1, 1),
    PeekSlot("key", 1, "T"): Place("reserved", 1, 1),
    CommitSlots("T"): "committed",
    ReleaseSlots("T"): 0,
    Count("key", 600, 20): 1,
    CountEvents("key", 600): 0,
    FirstSeen("key", 90): NOW,
    WhenSeen("key"): None,
    Remember("key", 90): False,
    MakeBlock("key", 90, "why"): True,
    Blocked("key"): None,
}
KNOWN: dict[StateQuestion[Any], Any] = {
    ReserveSlot("key", 1, "U"): Place("full", 1, 1),
    PeekSlot("key", 1, "U"): Place("full", 1, 1),
    CommitSlots("T"): "committed",
    ReleaseSlots("T"): 0,
    Count("key", 600, 20): 4,
    Count("key", 600, 3): 3,
    CountEvents("key", 600): 3,
    FirstSeen("key", 90): NOW - 5,
    WhenSeen("key"): NOW - 5,
    Remember("key", 90): True,
    MakeBlock("key", 90, "another"): True,
    Blocked("key"): Block("key", NOW - 5, NOW + 5, "a storm"),
}


def known() -> MemoryState:
    """A state that knows something about `key`."""
    state = MemoryState()
    state.reserve("key", 1, "T", NOW - 5, NOW + 5)
    state.commit("T", NOW - 5)
    for second in (3, 2, 1):
        state.count("key", 600, 20, NOW - second)
    state.first_seen("key", NOW - 5, NOW + 5)
    state.block("key", NOW - 5, NOW + 5, "a storm")
    return state


def all_of(state: State) -> tuple[Any, ...]:
    """Everything that a state knows about `key`, now and when what it knows now has ended."""
    return tuple(
        (state.places("key", now), state.tally("key", 600, now), state.seen("key", now), state.blocks(now))
        for now in (NOW, NOW + 5, NOW + 50)
    )


@pytest.mark.parametrize(
    ("make", "question", "answer"),
    [(MemoryState, *row) for row in EMPTY.items()] + [(known, *row) for row in KNOWN.items()],
    ids=lambda value: type(value).__name__ if isinstance(value, StateQuestion) else "",
)
def test_dry_answers_the_same_and_changes_nothing(
    make: Callable[[], State], question: StateQuestion[Any], answer: Any
) -> None:
    state = make()
    before = all_of(state)
    assert [question.put(state, NOW, dry=True) for _ in range(2)] == [answer, answer]
    assert all_of(state) == before == all_of(make())
    if not isinstance(question, CommitSlots | ReleaseSlots):  # which are about what a dry query has not reserved
        assert question.put(state, NOW, dry=False) == answer


def test_a_question_is_a_frozen_value() -> None:
    assert ReserveSlot("key", 3, "T") == ReserveSlot("key", 3, "T")
    assert len({ReserveSlot("key", 3, "T"), ReserveSlot("key", 3, "T"), CommitSlots("T"), ReleaseSlots("T")}) == 3
    assert len({Count("key", 600, 20), Count("key", 600, 21), CountEvents("key", 600), Blocked("key")}) == 4
    with pytest.raises(dataclasses.FrozenInstanceError):
        CommitSlots("T").holder = "U"  # type: ignore[misc]


ASKED: list[tuple[Callable[[Ask], Awaitable[Any]], AnyQuestion]] = [
    (lambda ask: ask.count_event("key", 600, 20), Count("key", 600, 20)),
    (lambda ask: ask.count_events("key", 600), CountEvents("key", 600)),
    (lambda ask: ask.first_seen("key", 90), FirstSeen("key", 90)),
    (lambda ask: ask.first_seen("key", 90, evict=True), FirstSeen("key", 90, evict=True)),
    (lambda ask: ask.seen("key"), WhenSeen("key")),
    (lambda ask: ask.remember("key", 90), Remember("key", 90)),
    (lambda ask: ask.block("key", 90, "a storm"), MakeBlock("key", 90, "a storm")),
    (lambda ask: ask.blocked("key"), Blocked("key")),
    (lambda ask: ask.list_fault("bl.example.org"), ListFault("bl.example.org")),
    (lambda ask: ask.list_faults(["bl.example.org"]), ListFaults(("bl.example.org",))),
    (lambda ask: ask.look_up_all([("example.org", "MX")]), Lookup((("example.org", "MX"),))),
    (lambda ask: ask.look_up_all([("example.org", "MX")], [""]), Lookup((("example.org", "MX"),))),
    (lambda ask: ask.look_up_all([("{key}.x", "A")], ["secret"]), Lookup((("{key}.x", "A"),), ("secret",))),
]


@pytest.mark.parametrize(("method", "question"), ASKED, ids=[type(question).__name__ for _, question in ASKED])
@pytest.mark.parametrize("answer", ["answer", Unknown("dead")])
def test_awaiting_a_question_yields_it_with_who_asks_and_returns_the_answer(
    method: Callable[[Ask], Awaitable[Any]], question: AnyQuestion, answer: Any
) -> None:
    asked: list[AnyRequest] = []

    def source(request: AnyRequest) -> Any:
        asked.append(request)
        return answer

    async def asks(ask: Ask) -> Any:
        return await method(ask)

    assert drive_now(asks(ASK), source) == answer
    assert asked == [Request(question, ASK)]


@pytest.mark.parametrize(
    ("method", "asked", "answers", "expected"),
    [
        pytest.param(
            lambda ask: ask.look_up("example.org", "A"),
            [Lookup((("example.org", "A"),))],
            [(("192.0.2.7",),)],
            ("192.0.2.7",),
            id="one name",
        ),
        pytest.param(
            lambda ask: ask.reverse_names("192.0.2.7"),
            [Lookup((("7.2.0.192.in-addr.arpa", "PTR"),))],
            [(("mx.example.net",),)],
            ("mx.example.net",),
            id="an address",
        ),
        pytest.param(
            lambda ask: ask.reverse_names("2001:db8::1"),
            [Lookup(((f"1.{'0.' * 23}8.b.d.0.1.0.0.2.ip6.arpa", "PTR"),))],
            [(Unknown("timeout"),)],
            Unknown("timeout"),
            id="an IPv6 address",
        ),
        pytest.param(lambda ask: ask.look_up_all([]), [], [], (), id="nothing"),
    ],
)
def test_look_ups(
    method: Callable[[Ask], Awaitable[Any]], asked: list[AnyQuestion], answers: list[Any], expected: Any
) -> None:
    seen: list[AnyQuestion] = []

    async def asks() -> Any:
        return await method(ASK)

    def source(request: AnyRequest) -> Any:
        seen.append(request.question)
        return answers[len(seen) - 1]

    assert drive_now(asks(), source) == expected
    assert seen == asked


@pytest.mark.parametrize(("answer", "expected"), [(2, 2), (7, 5), (Unknown("dead"), Unknown("dead"))])
def test_what_was_counted_is_not_counted_again(answer: int | Unknown, expected: int | Unknown) -> None:
    ask = Ask("check", replaying_at_data=True)
    asked: list[AnyQuestion] = []

    def source(request: AnyRequest) -> Any:
        asked.append(request.question)
        return answer

    async def asks() -> Any:
        return await ask.count_event("key", 60, 5)

    assert drive_now(asks(), source) == expected
    assert asked == [CountEvents("key", 60)]


def test_an_ask_is_never_changed() -> None:
    with pytest.raises(AttributeError):
        ASK.action = "observe"  # type: ignore[misc]


def test_a_query_that_is_archived_is_not_shown_with_the_question() -> None:
    assert repr(ArchiveMessage(Query("data", {"headers": "Subject: x"}))) == "ArchiveMessage()"


def test_the_base_question_has_no_verb() -> None:
    state: Any = Calls()
    question: StateQuestion[int] = StateQuestion()
    with pytest.raises(NotImplementedError):
        question.put(state, NOW, dry=False)


def test_a_key_stands_in_the_name_that_is_asked_for_and_in_nothing_else() -> None:
    question = Lookup((("{key}.x.example", "A"), ("y.example", "A")), ("secret", ""))
    assert question.names() == (("secret.x.example", "A"), ("y.example", "A"))
    assert "secret" not in repr(question)
    plain = Lookup((("{key}.x.example", "A"),))
    assert plain.names() is plain.asked


def test_no_answer_repeats_a_key() -> None:
    question = Lookup(tuple((f"{{key}}.{name}.example", "TXT") for name in "abc"), ("s.cret", "", "other"))
    found = (("S.CRET and s.cret, not secret",), ("s.cret",), Unknown("nothing about other.c.example"))
    assert question.without_keys(found) == (
        ("{key} and {key}, not secret",),
        ("s.cret",),
        Unknown("nothing about {key}.c.example"),
    )


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        (
            ReserveSlot("key", 3, "tx-1"),
            Place("reserved", 2, 3),
            ["a_check", "reserve", "key", 3, "tx-1", "reserved 2 of 3"],
        ),
        (CommitSlots("tx-1"), "committed", ["a_check", "commit", "tx-1", "committed"]),
        (ReleaseSlots("tx-1"), 2, ["a_check", "release", "tx-1", 2]),
        (
            Lookup((("a.{key}.example", "A"),), ("secret",)),
            (("127.0.0.2",),),
            ["a_check", "lookup", [["a.{key}.example", "A"]], [["127.0.0.2"]]],
        ),
        (CommitSlots("tx-1"), Unknown("full"), ["a_check", "commit", "tx-1", {"unknown": "full"}]),
    ],
)
def test_an_asked_question_is_plain_values(question: AnyQuestion, answer: object, expected: list[object]) -> None:
    asked = AskedQuestion("a_check", question, answer).as_list()
    assert msgpack.unpackb(msgpack.packb(asked)) == expected
    assert json.loads(json.dumps(asked)) == expected


def test_all_questions_of_the_state_say_whether_they_change_it() -> None:
    found = [one for one in vars(questions).values() if isinstance(one, type) and issubclass(one, StateQuestion)]
    assert set(QUESTIONS_OF_STATE.values()) == {one for one in found if one is not StateQuestion}
    changing = {kind for kind, one in QUESTIONS_OF_STATE.items() if one.changes}
    assert changing == {"reserve", "commit", "release", "count", "firstseen", "remember", "makeblock"}
    assert (field_names("count"), field_names("lookup")) == (("key", "window", "most"), ())
