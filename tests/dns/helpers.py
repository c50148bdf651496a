"""What the DNS tests share: servers with names and faults, waiting, and proof that nothing is left over."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar, cast

import pytest

from eximacl.dns import Resolver
from eximacl.dns.message import KINDS
from eximacl.policy.outcome import Unknown
from tests.dns.clock import Clock
from tests.lab.replies import Answer, Reply

# Only bounds what would hang; what is waited for takes milliseconds.
SECONDS = 20.0
# Of the resolver's own clock, which only tests move.
BUDGET = 2.0

RECORDS = {
    "A": ["192.0.2.1"],
    "AAAA": ["2001:db8::1"],
    "MX": ["10 mx.example.org."],
    "TXT": ['"a text"'],
    "PTR": ["mx.example.org."],
    "NS": ["ns.example.org."],
}
TEXTS = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "MX": "10 mx.example.org",
    "TXT": "a text",
    "PTR": "mx.example.org",
    "NS": "ns.example.org",
}
GOOD: dict[tuple[str, str], Answer] = {("good.example.org", kind): texts for kind, texts in RECORDS.items()}

Found = TypeVar("Found", bound=tuple[object, ...])


async def wait(answer: Found | Awaitable[Found]) -> Found:
    """Return an answer, whether it is there already or not."""
    return answer if isinstance(answer, tuple) else await asyncio.wait_for(answer, SECONDS)


async def until(met: Callable[[], bool]) -> None:
    """Let the event loop work until `met()` is true."""
    async with asyncio.timeout(SECONDS):
        while not met():
            await asyncio.sleep(0)


def faulty(name: str, reply: Reply | str, *, records: bool) -> dict[tuple[str, str], Answer]:
    """Make `name` answer like this for every kind; records: with records, unless their lack is the fault."""
    if isinstance(reply, str):
        return {(name, kind): cast("Answer", reply) for kind in KINDS}
    return {
        (name, kind): Reply(**{**vars(reply), "records": RECORDS[kind] if records else reply.records}) for kind in KINDS
    }


def sockets() -> int:
    """Return how many sockets this process has open."""
    links = (os.path.realpath(path) for path in Path("/proc/self/fd").iterdir())
    return sum("socket:" in link for link in links)


@asynccontextmanager
async def clean(resolver: Resolver) -> AsyncIterator[None]:
    """Close the resolver in the end, and prove that it leaves no socket behind."""
    before = sockets()
    try:
        yield
    finally:
        resolver.close()
    await until(lambda: sockets() <= before)


async def no_task_left() -> None:
    """Prove that no task is left but ours."""
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


def lapse(resolver: Resolver, clock: Clock, seconds: float) -> None:
    """Let time pass, and make the resolver notice."""
    clock.pass_(seconds)
    resolver.sweep()


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what we have logged since the last call."""
    found = [record.getMessage() for record in caplog.records if record.name == "eximacl"]
    caplog.clear()
    return found


def detail(answer: object) -> str:
    """Return why an answer is Unknown."""
    assert isinstance(answer, Unknown)
    return answer.detail
