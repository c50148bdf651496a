"""Who waits for a question, and what is told to whom: no network, no clock."""

from __future__ import annotations

import asyncio

import pytest

from eximacl.dns.flights import Flight, Waiting
from eximacl.dns.servers import Server
from eximacl.mail.hosts import parse_name_server
from eximacl.policy.outcome import Unknown

A, B = ("a.example.org", "A"), ("b.example.org", "MX")
FOUND = ("192.0.2.1",)


class Channel:
    """Writes down what it is told to forget."""

    def __init__(self) -> None:
        self.forgotten: list[int] = []

    def drop(self) -> None:
        raise AssertionError("nobody asked for that")

    def forget(self, number: int) -> None:
        self.forgotten.append(number)


def flight() -> Flight:
    return Flight(A, b"question", [Server(parse_name_server("127.0.0.1"))], None, 5.0)


def waiting_for(*asked: tuple[str, str], only: bool = False) -> Waiting:
    waiting = Waiting(asked, [None] * len(asked), only)
    waiting.missing = len(asked)
    waiting.future = asyncio.get_running_loop().create_future()
    return waiting


async def test_a_caller_goes_on_with_the_last_answer() -> None:
    waiting = waiting_for(A, B)
    assert waiting.future is not None
    waiting.tell(1, ())
    assert not waiting.future.done()
    waiting.tell(0, FOUND)
    assert await waiting.future == (FOUND, ())


async def test_one_answer_alone_is_no_tuple_of_answers() -> None:
    waiting = waiting_for(A, only=True)
    assert waiting.future is not None
    waiting.tell(0, FOUND)
    assert await waiting.future == FOUND


async def test_the_first_answer_to_a_question_counts() -> None:
    waiting = waiting_for(A, B)
    waiting.tell(0, FOUND)
    waiting.tell(0, ())
    assert (waiting.answers, waiting.missing) == ([FOUND, None], 1)


async def test_what_is_missing_when_the_time_is_over_is_unknown() -> None:
    waiting = waiting_for(A, B)
    assert waiting.future is not None
    waiting.tell(0, FOUND)
    waiting.expire()
    late = Unknown("DNS: no answer about MX of 'b.example.org' within the query's time")
    assert await waiting.future == (FOUND, late)
    waiting.tell(1, ("10 mx.example.org",))
    assert waiting.result() == (FOUND, late)


async def test_a_caller_who_has_gone_is_not_told() -> None:
    waiting = waiting_for(A)
    assert waiting.future is not None
    waiting.future.cancel()
    waiting.tell(0, FOUND)
    with pytest.raises(asyncio.CancelledError):
        await waiting.future


async def test_a_flight_tells_all_who_wait_and_takes_no_more_answers() -> None:
    one, channel = flight(), Channel()
    callers = [waiting_for(A), waiting_for(B, A)]
    one.waiting = [(callers[0], 0), (callers[1], 1)]
    one.tries = [(channel, 7), (channel, 9)]
    one.stream = asyncio.get_running_loop().create_task(asyncio.sleep(60))
    stream = one.stream
    one.land(FOUND)
    assert one.answer == FOUND
    assert [caller.answers for caller in callers] == [[FOUND], [None, FOUND]]
    assert channel.forgotten == [7, 9]
    with pytest.raises(asyncio.CancelledError):
        await stream
    assert not one.waiting
    assert not one.tries


def test_a_flight_says_what_it_is_about() -> None:
    assert str(flight()) == "A of a.example.org"
