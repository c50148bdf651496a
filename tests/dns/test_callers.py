"""Callers: when one goes on, and with which answers; no network, no clock."""

from __future__ import annotations

import asyncio

import pytest

from eximacl.dns.resolver import Caller
from eximacl.policy.outcome import Unknown

A, B = ("a.example.org", "A"), ("b.example.org", "MX")
FOUND = ("192.0.2.1",)


def a_caller(*asked: tuple[str, str], only: bool = False) -> Caller:
    caller = Caller(asked, [None] * len(asked), only)
    caller.future = asyncio.get_running_loop().create_future()
    return caller


async def test_a_caller_goes_on_with_the_last_answer() -> None:
    caller = a_caller(A, B)
    assert caller.future is not None
    caller.take(1, ())
    assert not caller.future.done()
    caller.take(0, FOUND)
    assert await caller.future == (FOUND, ())


async def test_one_answer_alone_is_not_a_tuple_of_answers() -> None:
    caller = a_caller(A, only=True)
    assert caller.future is not None
    caller.take(0, FOUND)
    assert await caller.future == FOUND


async def test_the_first_answer_to_a_question_counts() -> None:
    caller = a_caller(A, B)
    caller.take(0, FOUND)
    caller.take(0, ())
    assert (caller.answers, caller.missing) == ([FOUND, None], 1)


async def test_what_is_missing_when_the_time_is_over_is_unknown() -> None:
    caller = a_caller(A, B)
    assert caller.future is not None
    caller.take(0, FOUND)
    caller.expire()
    late = Unknown("DNS: no answer about MX of 'b.example.org' within the query's time")
    assert await caller.future == (FOUND, late)
    caller.take(1, ("10 mx.example.org",))
    assert caller.result() == (FOUND, late)


async def test_a_caller_that_was_cancelled_takes_an_answer() -> None:
    caller = a_caller(A)
    assert caller.future is not None
    caller.future.cancel()
    caller.take(0, FOUND)
    with pytest.raises(asyncio.CancelledError):
        await caller.future
