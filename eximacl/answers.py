"""Answering questions: of one query, from the state, and remembering each answer for the journal.

Rule: a source that fails gives `Unknown`, never an exception: whether that matters is the check's `on_unknown`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from typing import Any

from eximacl.judged import Asked
from eximacl.model import Unknown
from eximacl.questions import AnyQuestion, Ask, State, StateError, StateQuestion


class Answers:
    """Answers the questions of one query; `asked` grows with each."""

    __slots__ = ("_ask", "_dry", "_state", "asked")

    def __init__(self, state: State, ask: Ask, dry: bool) -> None:
        self._state = state
        self._ask = ask
        self._dry = dry
        self.asked: list[Asked] = []

    def __call__(self, question: AnyQuestion) -> Any:
        """Answer one question at once. Raises TypeError for a kind that nobody here can answer."""
        if not isinstance(question, StateQuestion):
            raise TypeError(f"no source answers {type(question).__name__}")
        try:
            answer = question.put(self._state, self._ask.now, self._dry)
        except StateError as error:
            answer = Unknown(str(error))
        if inspect.isawaitable(answer):
            return self._later(question, answer)
        self.asked.append(Asked(self._ask.step, question, answer))
        return answer

    async def _later(self, question: AnyQuestion, waiting: Awaitable[Any]) -> Any:
        step = self._ask.step
        answer = await waiting
        self.asked.append(Asked(step, question, answer))
        return answer
