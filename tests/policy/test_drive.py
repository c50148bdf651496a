"""Driving a coroutine of questions: at once where answers are there, by the event loop where they are not."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import pytest

from eximacl.policy.drive import Pending, drive, drive_now
from eximacl.policy.questions import AnyRequest, Ask, Question, Request

ASK = Ask("check")


@dataclass(frozen=True, slots=True)
class Number(Question[int]):
    """A question of these tests: what is this number?"""

    value: int


async def total(*values: int) -> int:
    result = 0
    for value in values:
        result += await Request(Number(value), ASK)
    return result


def at_once(request: AnyRequest) -> Any:
    assert isinstance(request.question, Number)
    return request.question.value


def later(request: AnyRequest) -> Any:
    """Answer even numbers at once, odd ones only after a turn of the event loop."""
    assert isinstance(request.question, Number)
    value = request.question.value

    async def wait() -> int:
        await asyncio.sleep(0)
        return value

    return wait() if value % 2 else value


async def finished(result: int | Pending[int]) -> int:
    assert isinstance(result, Pending)
    return await result.finish()


def test_answers_that_are_there_need_no_event_loop() -> None:
    assert drive(total(), at_once) == 0
    assert drive(total(1, 2, 3), at_once) == 6
    assert drive_now(total(4, 5), at_once) == 9


@pytest.mark.parametrize("values", [(1,), (2, 1), (1, 2), (1, 3), (2, 1, 4, 3, 6)])
async def test_the_event_loop_finishes_what_has_to_wait(values: tuple[int, ...]) -> None:
    assert await finished(drive(total(*values), later)) == sum(values)


async def test_futures_and_tasks_are_awaitables_too() -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, 7)
    assert await finished(drive(total(1), lambda _: future)) == 7


async def test_a_none_answer_is_an_answer() -> None:
    async def asks() -> bool:
        answer: Any = await Request(Number(1), ASK)
        return answer is None

    assert drive_now(asks(), lambda _: None) is True


class Broken(Exception):
    pass


async def raises_before() -> int:
    raise Broken


async def raises_after() -> int:
    await Request(Number(1), ASK)
    raise Broken


@pytest.mark.parametrize("asks", [raises_before, raises_after])
def test_what_a_coroutine_raises_passes_through(asks: Any) -> None:
    with pytest.raises(Broken):
        drive(asks(), at_once)


async def test_what_a_coroutine_raises_after_waiting_passes_through() -> None:
    with pytest.raises(Broken):
        await finished(drive(raises_after(), later))


def refuse(request: AnyRequest) -> Any:
    raise Broken


def test_what_an_answer_raises_passes_through_and_closes_the_coroutine() -> None:
    coroutine = total(1)
    with pytest.raises(Broken):
        drive(coroutine, refuse)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


async def broken_answer() -> int:
    raise Broken


async def test_a_waited_answer_that_raises_closes_the_coroutine() -> None:
    coroutine = total(1)
    with pytest.raises(Broken):
        await finished(drive(coroutine, lambda _: broken_answer()))
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


async def test_cancelling_the_wait_closes_the_coroutine() -> None:
    coroutine = total(1)
    never: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(finished(drive(coroutine, lambda _: never)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert never.cancelled()
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def test_drive_now_refuses_to_wait_and_leaves_nothing_open() -> None:
    coroutine = total(1)
    waits: list[Any] = []

    def answer(request: AnyRequest) -> Any:
        waits.append(later(request))
        return waits[0]

    with pytest.raises(RuntimeError, match="without waiting"):
        drive_now(coroutine, answer)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    assert inspect.getcoroutinestate(waits[0]) == inspect.CORO_CLOSED


async def test_giving_up_leaves_a_future_to_its_owner() -> None:
    future: Awaitable[int] = asyncio.get_running_loop().create_future()
    coroutine = total(1)
    pending = drive(coroutine, lambda _: future)
    assert isinstance(pending, Pending)
    pending.close()
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
