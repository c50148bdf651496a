"""A daemon whose state has to be waited for: it decides the same, and a dead state never stops it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import pytest

from eximacl.daemon.answers import STATE_LATE, STATE_SECONDS
from eximacl.daemon.daemon import Daemon
from eximacl.state import BACKENDS
from tests.daemon.running import PATIENCE_SECONDS, control, query, running
from tests.state.toy import BACKEND, Mood, ToyServer

CONFIG = """
[server]
socket = "eximacl.sock"
[state]
url = "toy:toy.sock"
[log]
rejections = ""
[journal]
dir = ""
[policy]
domains = ["example.org"]
order = ["blocked_recipient", "disposable", "greylist", "bounce_storm"]
[checks.bounce_storm]
limit = 2
"""
# What asks the state nothing, and what asks it several times.
PLAIN = {"rcpt": "steve@example.net"}
COUNTED = {"rcpt": "steve.1.count@example.org", "from": "a@example.net"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ToyServer]:
    with ToyServer(tmp_path / "toy.sock") as server:
        yield server


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(BACKENDS, "toy", BACKEND)
    path = tmp_path / "eximacl.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
async def daemon(config: Path) -> AsyncIterator[Daemon]:
    async with running(config) as daemon:
        yield daemon


@pytest.mark.usefixtures("daemon", "server")
async def test_places_are_taken_used_and_given_back(config: Path) -> None:
    asked = [("rcpt", "a"), ("rcpt", "b"), ("end", "a"), ("rcpt", "b"), ("data", "b"), ("rcpt", "c")]
    more = {"rcpts": COUNTED["rcpt"], "want": "data end", **COUNTED}
    replies = [await query(config, word, tx=tx, **more) for word, tx in asked]
    given = [reply.reason or reply.verdict for reply in replies]
    assert given == ["accept", "counted-pending", "accept", "accept", "accept", "counted-used-up"]


@pytest.mark.usefixtures("daemon")
async def test_what_a_check_has_blocked_is_blocked_for_the_next_query(config: Path, server: ToyServer) -> None:
    bounce = {"rcpt": "steve@example.org", "from": ""}
    reasons = [(await query(config, tx=str(number), **bounce)).reason for number in range(4)]
    assert reasons == ["", "", "bounce-storm", "blocked-bounces"]
    assert [block.key for block in server.state.blocks(time.time())] == ["bounces:steve@example.org"]


@pytest.mark.usefixtures("daemon", "server")
async def test_a_dry_query_changes_nothing(config: Path) -> None:
    for _ in range(2):
        assert (await query(config, dry="1", **COUNTED)).verdict == "accept"


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    ("mood", "words"), [("silent", STATE_LATE), ("cut", "pickle data was truncated"), ("gone", "No such file")]
)
async def test_a_dead_state_is_unknown_and_comes_back(
    config: Path, server: ToyServer, mood: Mood | Literal["gone"], words: str
) -> None:
    away = server.path.with_suffix(".away")
    if mood == "gone":
        server.path.rename(away)
    else:
        server.mood = mood
    began = time.monotonic()
    reply = await query(config, **COUNTED)
    assert (reply.verdict, reply.reason) == ("defer", "disposable-unknown")
    assert words in reply.log
    assert time.monotonic() - began < STATE_SECONDS + PATIENCE_SECONDS
    server.mood = "answers"
    if mood == "gone":
        away.rename(server.path)
    assert (await query(config, **COUNTED)).verdict == "accept"


@pytest.mark.usefixtures("daemon")
async def test_nobody_else_waits_for_a_dead_state(config: Path, server: ToyServer) -> None:
    server.mood = "silent"
    waiting = [asyncio.create_task(query(config, tx=str(number), **COUNTED)) for number in range(20)]
    for _ in range(50):
        assert (await query(config, **PLAIN)).verdict == "accept"
        assert await control(config, "status")
    began = time.monotonic()
    assert {reply.verdict for reply in await asyncio.gather(*waiting)} == {"defer"}
    assert time.monotonic() - began < STATE_SECONDS + PATIENCE_SECONDS
