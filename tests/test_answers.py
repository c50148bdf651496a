"""Every answer is remembered with who asked; a source that fails gives Unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from eximacl.answers import Answered, Answers, Network, NoNetwork
from eximacl.model import Unknown
from eximacl.questions import Ask, Lookup, Question, RecordKind, Reserve, StateQuestion, ZoneFault
from eximacl.state import open_state
from eximacl.verbs import State, StateError


@dataclass(frozen=True, slots=True)
class Failing(StateQuestion[str]):
    def put(self, state: State, now: float, dry: bool) -> str:
        raise StateError("the disk is full")


class Late:
    """A network that answers once it is awaited. `untils` lists the deadlines that it was given."""

    def __init__(self) -> None:
        self.untils: list[float] = []

    def deadline(self) -> float:
        return 42.0 + len(self.untils)

    async def look_up(self, asked: Sequence[tuple[str, RecordKind]], until: float) -> Answered:
        self.untils.append(until)
        return tuple(("192.0.2.7",) for _ in asked)

    def fault(self, zone: str) -> str:
        return f"{zone} lists everybody"


def answers(network: Network | None = None, *, dry: bool = False) -> Answers:
    ask = Ask(1000.0, "tx-1")
    ask.step = "a_check"
    return Answers(open_state("memory:"), network or NoNetwork(), ask, dry=dry)


def test_an_answer_is_given_and_remembered() -> None:
    source = answers()
    question = Reserve("key", 1, "tx-1")
    assert source(question) == "reserved"
    assert source.asked[0].as_list() == ["a_check", "reserve", "key", 1, "tx-1", "reserved"]


def test_dry_takes_no_place() -> None:
    source = answers(dry=True)
    assert source(Reserve("key", 1, "tx-1")) == "reserved"
    assert source(Reserve("key", 1, "tx-2")) == "reserved"


def test_a_failing_source_is_unknown() -> None:
    source = answers()
    assert source(Failing()) == Unknown("the disk is full")
    assert source.asked[0].as_list() == ["a_check", "failing", {"unknown": "the disk is full"}]


async def test_a_late_answer_is_remembered_once_it_is_there() -> None:
    source = answers(Late())
    waiting = source(Lookup((("mx.example.net", "A"),)))
    assert source.asked == []
    assert await waiting == (("192.0.2.7",),)
    assert source.asked[0].as_list() == ["a_check", "lookup", (("mx.example.net", "A"),), [["192.0.2.7"]]]


async def test_the_look_ups_of_a_query_share_one_deadline() -> None:
    late = Late()
    source = answers(late)
    for name in ("a.example", "b.example"):
        await source(Lookup(((name, "A"),)))
    assert late.untils == [42.0, 42.0]


def test_a_list_may_be_at_fault() -> None:
    assert answers(Late())(ZoneFault("bl.example")) == "bl.example lists everybody"


def test_without_a_network_nothing_is_known_and_no_list_is_at_fault() -> None:
    source = answers()
    assert source(Lookup((("a.example", "A"), ("a.example", "MX")))) == (Unknown("there is no DNS here"),) * 2
    assert source(ZoneFault("bl.example")) == ""
    assert source.asked[0].as_list()[-1] == [{"unknown": "there is no DNS here"}] * 2


def test_a_question_that_nobody_answers_is_a_bug() -> None:
    with pytest.raises(TypeError, match="no source answers Question"):
        answers()(Question())
