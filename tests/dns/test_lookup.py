"""Timers and fetches; how a fetch goes through the servers is in test_faults.py and test_resolver.py."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest

from eximacl.dns.lookup import Fetch, Timers
from eximacl.dns.servers import Upstream
from eximacl.mail.hosts import parse_name_server
from tests.dns.clock import START, Clock

# Bounds only what would hang.
SECONDS = 10.0
A = ("a.example.org", "A")
FOUND = ("192.0.2.1",)


async def test_what_is_due_is_called_in_order() -> None:
    clock, called = Clock(), list[int]()
    timers = Timers(clock, asyncio.get_running_loop())
    for seconds in (3, 1, 2, 1):
        timers.at(START + seconds, partial(called.append, seconds))
    timers.sweep()
    assert called == []
    clock.pass_(2)
    timers.sweep()
    assert called == [1, 1, 2]
    timers.close()
    clock.pass_(2)
    timers.sweep()
    assert called == [1, 1, 2]


async def test_the_timer_fires_by_itself_for_the_earliest() -> None:
    loop = asyncio.get_running_loop()
    timers = Timers(time.monotonic, loop)
    first, second = loop.create_future(), loop.create_future()
    timers.at(time.monotonic() + 3600, lambda: None)
    timers.at(time.monotonic() + 0.03, partial(second.set_result, None))
    timers.at(time.monotonic() - 1, partial(first.set_result, None))
    await asyncio.wait_for(asyncio.gather(first, second), SECONDS)
    timers.close()
    timers.close()
    only, timers = loop.create_future(), Timers(time.monotonic, loop)
    timers.at(time.monotonic(), partial(only.set_result, None))
    await asyncio.wait_for(only, SECONDS)
    timers.close()


def a_fetch() -> Fetch:
    return Fetch(A, b"question", [Upstream(parse_name_server("127.0.0.1"))], None, 5.0)


async def test_a_finished_fetch_answers_all_who_wait_and_ends_its_stream() -> None:
    fetch = a_fetch()
    told = list[object]()
    fetch.waiting = [told.append, told.append]
    stream = fetch.stream = asyncio.get_running_loop().create_task(asyncio.sleep(60))
    fetch.finish(FOUND)
    assert fetch.answer == FOUND
    assert told == [FOUND, FOUND]
    with pytest.raises(asyncio.CancelledError):
        await stream
    assert not fetch.waiting


def test_a_fetch_says_what_it_is_about() -> None:
    assert str(a_fetch()) == "A of a.example.org"
