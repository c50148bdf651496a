"""Every answer is remembered with who asked; a source that fails gives Unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from eximacl.answers import Answers
from eximacl.model import Unknown
from eximacl.questions import Ask, Question, Reserve, State, StateError, StateQuestion
from eximacl.state import open_state


@dataclass(frozen=True, slots=True)
class Failing(StateQuestion[str]):
    def put(self, state: State, now: float, dry: bool) -> str:
        raise StateError("the disk is full")


@dataclass(frozen=True, slots=True)
class Later(StateQuestion[str]):
    def put(self, state: State, now: float, dry: bool) -> Any:
        async def wait() -> str:
            return "at last"

        return wait()


def answers(*, dry: bool = False) -> Answers:
    ask = Ask(1000.0, "tx-1")
    ask.step = "a_check"
    return Answers(open_state("memory:"), ask, dry=dry)


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
    source = answers()
    waiting = source(Later())
    assert source.asked == []
    assert await waiting == "at last"
    assert source.asked[0].answer == "at last"


def test_a_question_that_nobody_answers_is_a_bug() -> None:
    with pytest.raises(TypeError, match="no source answers Question"):
        answers()(Question())
