"""Driving a coroutine of questions. An answer that is there at once costs no task and no event-loop turn.

`answer` is given each request that the coroutine awaits; it returns the answer, or an awaitable of it where it takes
waiting. `drive` goes as far as it can without waiting; what remains is a `Pending`, which the event loop finishes.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from eximacl.policy.questions import AnyRequest

R = TypeVar("R")
Answer = Callable[[AnyRequest], Any]


class Pending(Generic[R]):
    """A coroutine that awaits an answer which is not there yet."""

    __slots__ = ("_answer", "_coroutine", "_waiting")

    def __init__(self, coroutine: Coroutine[AnyRequest, Any, R], answer: Answer, waiting: Awaitable[Any]) -> None:
        self._coroutine = coroutine
        self._answer = answer
        self._waiting = waiting

    async def finish(self) -> R:
        """Wait for each answer in turn, and return the coroutine's result."""
        while True:
            try:
                answer = await self._waiting
            except BaseException:
                self._coroutine.close()
                raise
            step = _advance(self._coroutine, self._answer, answer)
            if not isinstance(step, Pending):
                return step
            self._waiting = step._waiting

    def close(self) -> None:
        """Give up: close the coroutine, and what it waits for if that has not begun."""
        self._coroutine.close()
        if inspect.iscoroutine(self._waiting):
            self._waiting.close()


def drive(coroutine: Coroutine[AnyRequest, Any, R], answer: Answer) -> R | Pending[R]:
    """Run `coroutine` as far as answers are there at once. Whatever it raises passes through."""
    return _advance(coroutine, answer, None)


def drive_now(coroutine: Coroutine[AnyRequest, Any, R], answer: Answer) -> R:
    """Run `coroutine` to its end where every answer is there at once. Raises RuntimeError where one is not."""
    result = drive(coroutine, answer)
    if isinstance(result, Pending):
        result.close()
        raise RuntimeError("a question could not be answered without waiting")
    return result


def _advance(coroutine: Coroutine[AnyRequest, Any, R], answer: Answer, sent: Any) -> R | Pending[R]:
    try:
        while True:
            sent = answer(coroutine.send(sent))
            if hasattr(sent, "__await__"):  # as `later.waits` tells, without its call
                return Pending(coroutine, answer, sent)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    except BaseException:
        coroutine.close()
        raise
