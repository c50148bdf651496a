"""Blocks of recipients: the same use cases in a running daemon, and in a state where no daemon runs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from eximacl.checks._block_keys import block_key, storm_key
from eximacl.daemon.blocks import (
    REQUESTS,
    add_block,
    blocks_of,
    end_block,
    key_of,
    parse_duration,
    split_key,
)
from eximacl.daemon.state_requests import Source, daemon_source, state_source
from eximacl.policy.state import BLOCKS_MAX, Block, StateError
from eximacl.protocol.client import DaemonError, NoDaemon, RequestRefused
from eximacl.state import BACKENDS, SqliteState, forms
from tests.daemon.running import query, running
from tests.lab.daemon import Daemon
from tests.state.toy import BACKEND, ToyServer

STEVE = "bounces:steve@example.org"
POLICY = """
[server]
socket = "eximacl.sock"
[state]
url = "{url}"
[log]
rejections = ""
[journal]
dir = ""
[policy]
domains = ["example.org"]
order = ["blocked_recipient"]
"""


def policy_with(directory: Path, url: str) -> Path:
    path = directory / "eximacl.toml"
    path.write_text(POLICY.format(url=url))
    return path


@pytest.fixture(params=["daemon, memory", "daemon, file", "file", "network"])
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A daemon of its own process, or a state without one."""
    if "daemon" in request.param:
        config = policy_with(tmp_path, "memory:" if "memory" in request.param else "sqlite:state.db")
        with Daemon(config, tmp_path / "eximacl.sock", tmp_path / "log"):
            yield daemon_source(tmp_path / "eximacl.sock")
    elif request.param == "file":
        SqliteState(tmp_path / "state.db").close()
        yield state_source(f"sqlite:{tmp_path}/state.db", REQUESTS)
    else:
        monkeypatch.setitem(BACKENDS, "toy", BACKEND._replace(is_file=False))
        with ToyServer(tmp_path / "toy.sock"):
            yield state_source(f"toy:{tmp_path}/toy.sock", REQUESTS)


def test_a_block_is_set_extended_listed_and_ended(source: Source) -> None:
    began = time.time()
    assert list(blocks_of(source)) == []
    block, before = add_block(source, STEVE, 3600, "a storm\n\x1b")
    assert (block.key, block.why, before) == (STEVE, "a storm\n\x1b", None)
    assert began <= block.since <= time.time()
    assert block.until == pytest.approx(block.since + 3600)
    assert add_block(source, STEVE, math.inf, "another") == (block._replace(until=math.inf), block)
    everything = add_block(source, "all:joe@example.org", 60, "").block
    assert list(blocks_of(source)) == [everything, block._replace(until=math.inf)]
    assert end_block(source, STEVE) == block._replace(until=math.inf)
    assert end_block(source, STEVE) is None
    assert list(blocks_of(source)) == [everything]


@pytest.mark.parametrize(
    ("request_", "values", "words"),
    [
        ("block", {}, "do=block needs key="),
        ("block", {"key": STEVE, "why": ""}, "do=block needs seconds="),
        ("block", {"key": STEVE, "why": "", "seconds": "0"}, "seconds= is a number above 0, or inf"),
        ("block", {"key": STEVE, "why": "", "seconds": "nan"}, "seconds= is a number"),
        ("block", {"key": STEVE, "why": "", "seconds": "soon"}, "seconds= is a number"),
        ("unblock", {}, "do=unblock needs key="),
    ],
)
def test_wrong_requests(tmp_path: Path, request_: str, values: dict[str, str], words: str) -> None:
    with Daemon(policy_with(tmp_path, "memory:"), tmp_path / "eximacl.sock", tmp_path / "log") as daemon:
        source = daemon_source(daemon.path)
        with pytest.raises(RequestRefused, match=words):
            source(request_, values)
        assert list(blocks_of(source)) == []


async def test_more_than_one_answer_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = policy_with(tmp_path, "sqlite:state.db")
    now = time.time()
    with closing(SqliteState(tmp_path / "state.db")) as state:
        for number in range(BLOCKS_MAX + 5):
            state.block(f"{number:05}", now, math.inf, "why")
    monkeypatch.setattr("eximacl.daemon.blocks.ANSWER_CHARACTERS", 2000)
    async with running(config):
        source = await asyncio.to_thread(daemon_source, tmp_path / "eximacl.sock")
        found = await asyncio.to_thread(lambda: list(blocks_of(source)))
        pages = await asyncio.to_thread(source, "blocks", {})
    assert [block.key for block in found] == [f"{number:05}" for number in range(BLOCKS_MAX + 5)]
    assert (len(pages["blocks"]), pages["more"]) == (250, True)


async def test_the_bounces_that_were_counted_are_forgotten_with_the_block(tmp_path: Path) -> None:
    with closing(SqliteState(tmp_path / "state.db")) as state:
        for localpart in ("steve", "joe"):
            state.count(storm_key(localpart, "example.org"), 600, 20, time.time())
            state.block(block_key("all", localpart, "example.org"), time.time(), math.inf, "storm")
        async with running(policy_with(tmp_path, "sqlite:state.db")):
            source = await asyncio.to_thread(daemon_source, tmp_path / "eximacl.sock")
            assert await asyncio.to_thread(end_block, source, "all:steve@example.org")
        counts = [state.tally(storm_key(name, "example.org"), 600, time.time()) for name in ("steve", "joe")]
    assert counts == [0, 1]


async def test_a_block_holds_for_the_next_query_of_a_busy_daemon(tmp_path: Path) -> None:
    """Twenty clients ask all the time; one address is blocked and unblocked meanwhile."""
    config = policy_with(tmp_path, "memory:")
    asked = {"rcpt": "steve@example.org", "from": ""}
    with Daemon(config, tmp_path / "eximacl.sock", tmp_path / "log") as daemon:
        source, done, answered = daemon_source(daemon.path), asyncio.Event(), list[str]()

        async def load() -> None:
            while not done.is_set():
                answered.append((await query(config, rcpt="joe@example.org", **{"from": ""})).verdict)

        clients = [asyncio.create_task(load()) for _ in range(20)]
        for _ in range(20):
            assert (await query(config, **asked)).verdict == "accept"
            await asyncio.to_thread(add_block, source, STEVE, 3600, "a storm")
            assert (await query(config, **asked)).reason == "blocked-bounces"
            await asyncio.to_thread(end_block, source, STEVE)
        done.set()
        await asyncio.gather(*clients)
    assert set(answered) == {"accept"}
    assert len(answered) > 20


async def test_a_state_that_fails_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "toy", BACKEND)
    with ToyServer(tmp_path / "toy.sock") as server:
        async with running(policy_with(tmp_path, "toy:toy.sock")):
            source = await asyncio.to_thread(daemon_source, tmp_path / "eximacl.sock")
            for mood, words in (("cut", "Ran out of input"), ("silent", "the state did not answer within 1 s")):
                server.mood = mood  # type: ignore[assignment]  # a literal of the table
                with pytest.raises(StateError, match=words):
                    await asyncio.to_thread(add_block, source, STEVE, 60, "")


def test_without_a_daemon(tmp_path: Path) -> None:
    with pytest.raises(NoDaemon, match=r"eximacl\.sock does not exist"):
        daemon_source(tmp_path / "eximacl.sock")
    with pytest.raises(StateError, match=r"state\.url is memory:, which only the running daemon has"):
        state_source("memory:", REQUESTS)
    with pytest.raises(ValueError, match=f"expected {forms()}, got 'x'"):
        state_source("x", REQUESTS)
    source = state_source(f"sqlite:{tmp_path}/state.db", REQUESTS)
    assert (list(blocks_of(source)), end_block(source, STEVE)) == ([], None)
    with pytest.raises(StateError, match="start the daemon once, which creates it"):
        add_block(source, STEVE, 60, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"blocks": {}, "more": False},
        {"blocks": [["key", 1.0, None]], "more": False},
        {"blocks": [["key", "1", None, ""]], "more": False},
        {"blocks": [], "more": 3},
    ],
)
def test_an_answer_of_another_shape_is_refused(answer: Any) -> None:
    def source(_request: str, _values: Any) -> Any:
        return answer

    calls: tuple[Callable[[], Any], ...] = (
        lambda: list(blocks_of(source)),
        lambda: add_block(source, STEVE, 60, ""),
        lambda: end_block(source, STEVE),
    )
    for call in calls:
        with pytest.raises(DaemonError, match="the answer cannot be read"):
            call()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("steve@example.org", STEVE),
        (" <Steve@Example.ORG.> ", STEVE),
        ('"a b"@example.org', "bounces:a b@example.org"),
        ("s@ÄÖ.example", "bounces:s@xn--4ca0b.example"),
    ],
)
def test_keys(text: str, key: str) -> None:
    assert key_of(text, "bounces", new=True) == key
    scope, recipient = split_key(key)
    assert (scope, key_of(recipient, "bounces")) == ("bounces", key)


@pytest.mark.parametrize("text", ["steve", "@example.org", "", "<>", "a@b.example c@d.example", "a\n@example.org"])
def test_what_is_not_an_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"give an address, such as steve@example\.org"):
        key_of(text, "all", new=True)


def test_a_key_of_another_kind_is_shown_whole() -> None:
    assert split_key("counted:x@example.org") == ("", "counted:x@example.org")


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("2h", 7200), ("7d", 604_800), ("ever", math.inf), (" EVER ", math.inf)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "words"),
    [("soon", "or ever"), ("-2h", "or ever"), ("0h", "eximacl blocks remove"), ("999999w", "a hundred years")],
)
def test_what_is_not_a_duration(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_duration(text)


def test_a_block_in_json_is_read_back_as_it_was(tmp_path: Path) -> None:
    SqliteState(tmp_path / "state.db").close()
    source = state_source(f"sqlite:{tmp_path}/state.db", REQUESTS)
    for text in ("\udcff", "ä", '"\\', "\0"):
        block = add_block(source, text, math.inf, text).block
        assert block == Block(text, block.since, math.inf, text)
