"""Deadlines ring in order, on one timer."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from eximacl.dns.alarms import Alarms
from tests.dns.clock import START, Clock

# Bounds only what would hang.
SECONDS = 10.0


async def test_what_is_due_is_called_in_order() -> None:
    clock, rung = Clock(), list[int]()
    alarms = Alarms(clock, asyncio.get_running_loop())
    for seconds in (3, 1, 2, 1):
        alarms.at(START + seconds, partial(rung.append, seconds))
    alarms.sweep()
    assert rung == []
    clock.pass_(2)
    alarms.sweep()
    assert rung == [1, 1, 2]
    alarms.close()
    clock.pass_(2)
    alarms.sweep()
    assert rung == [1, 1, 2]


async def test_the_timer_rings_by_itself_for_the_earliest() -> None:
    loop = asyncio.get_running_loop()
    alarms = Alarms(time.monotonic, loop)
    first, second = loop.create_future(), loop.create_future()
    alarms.at(time.monotonic() + 3600, lambda: None)
    alarms.at(time.monotonic() + 0.03, partial(second.set_result, None))
    alarms.at(time.monotonic() - 1, partial(first.set_result, None))
    await asyncio.wait_for(asyncio.gather(first, second), SECONDS)
    alarms.close()
    alarms.close()
    only, alarms = loop.create_future(), Alarms(time.monotonic, loop)
    alarms.at(time.monotonic(), partial(only.set_result, None))
    await asyncio.wait_for(only, SECONDS)
    alarms.close()
