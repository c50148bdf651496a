"""The questions: frozen values that yield themselves, and the state verb behind each."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from eximacl.drive import drive_now
from eximacl.model import Unknown
from eximacl.questions import (
    RESERVATION_SECONDS,
    AnyQuestion,
    Ask,
    Commit,
    Release,
    Reserve,
    State,
    StateError,
    StateQuestion,
)

NOW = 1795450593.0


class Calls:
    """A state that writes down each call and answers with its name."""

    def __init__(self) -> None:
        self.made: list[tuple[Any, ...]] = []

    def __getattr__(self, verb: str) -> Any:
        def call(*arguments: Any) -> str:
            self.made.append((verb, *arguments))
            return verb

        return call


VERBS: list[tuple[StateQuestion[Any], tuple[Any, ...], tuple[Any, ...] | None, Any]] = [
    (
        Reserve("key", 3, "T"),
        ("reserve", "key", 3, "T", NOW, NOW + RESERVATION_SECONDS),
        ("peek", "key", 3, "T", NOW),
        "peek",
    ),
    (Commit("T"), ("commit", "T", NOW), None, "committed"),
    (Release("T"), ("release", "T"), None, 0),
]


@pytest.mark.parametrize(("question", "call", "dry_call", "dry_answer"), VERBS, ids=["reserve", "commit", "release"])
def test_each_question_is_one_verb_and_dry_changes_nothing(
    question: StateQuestion[Any], call: tuple[Any, ...], dry_call: tuple[Any, ...] | None, dry_answer: Any
) -> None:
    state: Any = Calls()
    assert question.put(state, NOW, dry=False) == call[0]
    assert state.made == [call]
    state = Calls()
    assert question.put(state, NOW, dry=True) == dry_answer
    assert state.made == ([] if dry_call is None else [dry_call])


def test_a_question_is_a_frozen_value() -> None:
    assert Reserve("key", 3, "T") == Reserve("key", 3, "T")
    assert len({Reserve("key", 3, "T"), Reserve("key", 3, "T"), Commit("T"), Release("T")}) == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        Commit("T").holder = "U"  # type: ignore[misc]


def test_awaiting_a_question_yields_it_and_returns_the_answer() -> None:
    asked: list[AnyQuestion] = []

    def answer(question: AnyQuestion) -> Any:
        asked.append(question)
        return "answer"

    async def asks(ask: Ask) -> list[Any]:
        return [await ask.reserve("key", 3), await ask.commit(), await ask.release()]

    assert drive_now(asks(Ask(NOW, "T")), answer) == ["answer"] * 3
    assert asked == [Reserve("key", 3, "T"), Commit("T"), Release("T")]


@pytest.mark.parametrize(
    ("answers", "reserved"),
    [
        (["reserved"], True),
        (["reserved", "full"], True),
        (["full"], False),
        (["pending"], False),
        ([Unknown("dead")], False),
    ],
)
def test_ask_knows_whether_a_place_was_reserved(answers: list[Any], reserved: bool) -> None:
    ask = Ask(NOW, "T")

    async def asks() -> None:
        for _ in range(len(left)):
            await ask.reserve("key", 1)

    left = list(answers)
    drive_now(asks(), lambda _: left.pop(0))
    assert ask.reserved is reserved


def test_what_an_ask_knows() -> None:
    ask = Ask(NOW)
    assert (ask.now, ask.holder, ask.clock, ask.reserved, ask.step) == (NOW, "", None, False, "")


def test_the_base_question_has_no_verb() -> None:
    state: Any = Calls()
    question: StateQuestion[int] = StateQuestion()
    with pytest.raises(NotImplementedError):
        question.put(state, NOW, dry=False)


def test_state_is_a_protocol_of_verbs() -> None:
    verbs = {name for name in vars(State) if not name.startswith("_")}
    assert verbs >= {"reserve", "peek", "commit", "release", "places", "prune", "close"}
    assert issubclass(StateError, Exception)
