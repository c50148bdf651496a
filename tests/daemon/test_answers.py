"""Every answer is remembered with who asked; a source that fails gives Unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from eximacl.daemon import answers as module
from eximacl.daemon.answers import (
    CLIENTS_NAMES_MAX,
    CLIENTS_SHARE,
    POLICY_NAMES_MAX,
    STATE_LATE,
    TOO_MANY_NAMES,
    Answers,
    Network,
    NoNetwork,
)
from eximacl.policy.outcome import Unknown
from eximacl.policy.places import Place
from eximacl.policy.query import Query
from eximacl.policy.questions import (
    Answered,
    AnyQuestion,
    ArchiveMessage,
    Ask,
    Blocked,
    ListFault,
    ListFaults,
    Lookup,
    Question,
    RecordKind,
    Records,
    Request,
    ReserveSlot,
    StateQuestion,
)
from eximacl.policy.state import State, StateError
from eximacl.state import MemoryState
from eximacl.testing import Dns

MINE = Place("reserved", 1, 1)

ASK = Ask("a_check")


@dataclass(frozen=True, slots=True)
class Failing(StateQuestion[str]):
    kind = "failing"

    def put(self, state: State, now: float, dry: bool) -> str:
        raise StateError("the disk is full")


class Late:
    """A network that answers once it is awaited, or takes all its time. `seconds` lists the times that it was given."""

    def __init__(self, *found: Records | Unknown, budget: float = 3.0, silent: bool = False) -> None:
        self.seconds: list[float] = []
        self.names: list[str] = []
        self.found = found
        self.budget_seconds = budget
        self.silent = silent

    async def look_up(self, asked: Sequence[tuple[str, RecordKind]], seconds: float) -> Answered:
        self.seconds.append(seconds)
        if self.silent:
            await asyncio.sleep(max(seconds, 0))
        self.names += [name for name, _ in asked]
        return self.found or tuple(("192.0.2.7",) for _ in asked)

    def list_fault(self, zone: str) -> str:
        return f"{zone} lists everybody"


def answers(network: Network | None = None, *, dry: bool = False, state: State | None = None) -> Answers:
    return Answers(state or MemoryState(), network or NoNetwork(), Query("rcpt", {}, now=1000.0, dry=dry))


def asked_of(source: Answers, question: AnyQuestion, ask: Ask = ASK) -> Any:
    return source(Request(question, ask))


def test_an_answer_is_given_and_remembered() -> None:
    source = answers()
    question = ReserveSlot("key", 1, "tx-1")
    assert asked_of(source, question) == MINE
    assert source.asked[0].as_list() == ["a_check", "reserve", "key", 1, "tx-1", "reserved 1 of 1"]


def test_dry_takes_no_place() -> None:
    source = answers(dry=True)
    assert asked_of(source, ReserveSlot("key", 1, "tx-1")) == MINE
    assert asked_of(source, ReserveSlot("key", 1, "tx-2")) == MINE


def test_a_failing_source_is_unknown() -> None:
    source = answers()
    assert asked_of(source, Failing()) == Unknown("the disk is full")
    assert source.asked[0].as_list() == ["a_check", "failing", {"unknown": "the disk is full"}]


class LateState(MemoryState):
    """A state whose places have to be waited for. `asked` counts the calls; `silent`: it never answers."""

    def __init__(self, *, silent: bool = False, broken: bool = False) -> None:
        super().__init__()
        self.asked = 0
        self.silent = silent
        self.broken = broken

    async def reserve(self, *asked: Any) -> Place:  # type: ignore[override]  # later
        self.asked += 1
        await asyncio.sleep(0)
        if self.broken:
            raise StateError("the server is gone")
        if self.silent:
            await asyncio.Event().wait()
        return super().reserve(*asked)


async def test_a_state_may_answer_later() -> None:
    source = answers(state=LateState())
    waiting = asked_of(source, ReserveSlot("key", 1, "tx-1"))
    assert source.asked == []
    assert await waiting == MINE
    assert source.asked[0].as_list() == ["a_check", "reserve", "key", 1, "tx-1", "reserved 1 of 1"]
    assert asked_of(source, Blocked("key")) is None  # and some verbs at once


async def test_a_state_may_fail_later() -> None:
    source = answers(state=LateState(broken=True))
    assert await asked_of(source, ReserveSlot("key", 1, "tx-1")) == Unknown("the server is gone")
    assert source.asked[0].as_list()[-1] == {"unknown": "the server is gone"}


async def test_a_query_whose_time_for_the_state_is_over_asks_it_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STATE_SECONDS", 0.05)
    state = LateState(silent=True)
    source = answers(state=state)
    assert await asked_of(source, ReserveSlot("key", 1, "tx-1")) == Unknown(STATE_LATE)
    for question in (ReserveSlot("key", 1, "tx-1"), Blocked("key")):
        assert asked_of(source, question) == Unknown(STATE_LATE)
    assert (state.asked, len(source.asked)) == (1, 3)


async def test_a_late_answer_is_remembered_once_it_is_there() -> None:
    source = answers(Late())
    waiting = asked_of(source, Lookup((("mx.example.net", "A"),)))
    assert source.asked == []
    assert await waiting == (("192.0.2.7",),)
    assert source.asked[0].as_list() == ["a_check", "lookup", (("mx.example.net", "A"),), [["192.0.2.7"]]]


async def test_the_look_ups_of_a_query_share_one_budget() -> None:
    late = Late(budget=0.1, silent=True)
    source = answers(late)
    for name in ("a.example", "b.example"):
        await asked_of(source, Lookup(((name, "A"),)))
    assert late.seconds[0] == 0.1 * CLIENTS_SHARE
    assert late.seconds[1] <= 0


async def test_names_that_the_client_chose_spend_only_their_share() -> None:
    late = Late(budget=0.1, silent=True)
    source = answers(late)
    for number, of_policy in enumerate((False, False, True, True)):
        await asked_of(source, Lookup(((f"{number}.example", "A"),), of_policy=of_policy))
    assert late.seconds[1] <= 0
    assert late.seconds[2] > late.seconds[1] + 0.1 * (1 - CLIENTS_SHARE) / 2, "the lists have the rest"
    assert late.seconds[3] <= 0


async def test_lists_may_take_all_the_time_that_names_do_not_need() -> None:
    late = Late(budget=0.1, silent=True)
    source = answers(late)
    await asked_of(source, Lookup((("a.example", "A"),), of_policy=True))
    await asked_of(source, Lookup((("b.example", "A"),)))
    assert late.seconds[0] == 0.1
    assert late.seconds[1] <= 0


@pytest.mark.parametrize(("of_policy", "most"), [(False, CLIENTS_NAMES_MAX), (True, POLICY_NAMES_MAX)])
async def test_a_query_looks_up_only_so_many_names(of_policy: bool, most: int) -> None:
    network = Dns()
    source = answers(network)

    def names(number: int) -> Lookup:
        return Lookup((("a.example", "A"),) * number, of_policy=of_policy)

    assert asked_of(source, names(most)) == ((),) * most
    assert asked_of(source, names(2)) == (TOO_MANY_NAMES,) * 2
    assert len(network.asked) == most
    other = Lookup((("b.example", "A"),), of_policy=not of_policy)
    assert asked_of(source, other) == ((),), "the others have their own bound"


KEYED = Lookup((("a.{key}.example", "A"), ("b.example", "TXT"), ("c.{key}.example", "TXT")), ("Secret", "", "x.y"))


async def test_a_key_is_asked_with_and_stays_in_no_record() -> None:
    late = Late(Unknown("nothing about a.secret.example"), ("Secret",), ("try xzy, or X.Y!",))
    source = answers(late)
    found = await asked_of(source, KEYED)
    assert late.names == ["a.Secret.example", "b.example", "c.x.y.example"]
    assert found == (Unknown("nothing about a.{key}.example"), ("Secret",), ("try xzy, or {key}!",))
    assert source.asked[0].as_list() == [
        "a_check",
        "lookup",
        KEYED.asked,
        [{"unknown": "nothing about a.{key}.example"}, ["Secret"], ["try xzy, or {key}!"]],
    ]


def test_a_key_is_taken_out_of_an_answer_that_is_there_at_once() -> None:
    source = answers(Dns({("a.secret.example", "TXT"): ["secret"]}))
    assert asked_of(source, Lookup((("a.{key}.example", "TXT"),), ("secret",))) == (("{key}",),)


def test_a_list_may_be_at_fault() -> None:
    assert asked_of(answers(Late()), ListFault("bl.example")) == "bl.example lists everybody"


def test_of_several_lists_those_at_fault_are_told_and_recorded() -> None:
    source = answers(Dns({}, {"b.example": "it lists everybody"}))
    assert asked_of(source, ListFaults(("a.example", "b.example"))) == {"b.example": "it lists everybody"}
    assert asked_of(source, ListFaults(("a.example",))) == {}
    assert [one.as_list()[1:] for one in source.asked] == [["listfault", "b.example", "it lists everybody"]]


def test_without_a_network_nothing_is_known_and_no_list_is_at_fault() -> None:
    source = answers()
    assert asked_of(source, Lookup((("a.example", "A"), ("a.example", "MX")))) == (Unknown("there is no DNS here"),) * 2
    assert asked_of(source, ListFault("bl.example")) == ""
    assert source.asked[0].as_list()[-1] == [{"unknown": "there is no DNS here"}] * 2


def test_a_question_that_nobody_answers_is_a_bug() -> None:
    with pytest.raises(TypeError, match="no source answers Question"):
        asked_of(answers(), Question())


def test_a_check_that_replays_takes_no_place() -> None:
    source = answers()
    replaying = Ask("a_check", replaying_at_data=True)
    assert asked_of(source, ReserveSlot("key", 1, "tx-1"), replaying) == MINE
    assert asked_of(source, ReserveSlot("key", 1, "tx-2")) == MINE


async def test_without_an_archive_nothing_is_archived() -> None:
    source = answers()
    question = ArchiveMessage(Query("data", {"headers": "x"}))
    assert await asked_of(source, question) == Unknown("there is no archive here")
    assert source.asked[0].as_list() == ["a_check", "archive", {"unknown": "there is no archive here"}]


async def test_the_time_that_dns_takes_is_not_the_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a slow name server between two verbs would make a healthy state look dead."""
    monkeypatch.setattr("eximacl.daemon.answers.STATE_SECONDS", 0.2)
    source = answers(state=LateState())
    assert await asked_of(source, ReserveSlot("key", 2, "tx-1")) == Place("reserved", 1, 2)
    await asyncio.sleep(0.3)
    assert await asked_of(source, ReserveSlot("key", 2, "tx-2")) == Place("reserved", 2, 2)
