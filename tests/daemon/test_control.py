"""Control requests: which there are, who may put them, and what is said of wrong ones."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eximacl.daemon.control import Control, ControlRequest
from eximacl.policy.state import StateError
from eximacl.protocol.client import RequestRefused, ask, ask_control
from eximacl.protocol.exim import ProtocolError, Reply, format_reply, parse_reply
from tests.daemon.running import control, running

NOBODY = 65534


def fails(_values: Mapping[str, str]) -> Any:
    raise StateError("the disk is full")


async def fails_later(_values: Mapping[str, str]) -> Any:
    raise StateError("the disk is full")


async def echoes(values: Mapping[str, str]) -> Any:
    return dict(values)


async def refuses(_values: Mapping[str, str]) -> Any:
    raise ProtocolError("missing-key", "it needs key=")


REQUESTS = {
    "ping": ControlRequest(lambda _: None, everyone=True),
    "count": ControlRequest(lambda _: [1, "two", None]),
    "fail": ControlRequest(fails),
    "fail-later": ControlRequest(fails_later),
    "echo": ControlRequest(echoes),
    "refuse": ControlRequest(refuses),
}


def refuse(error: ProtocolError) -> bytes:
    return format_reply(Reply("error", reason=error.reason, message=str(error)))


@pytest.mark.parametrize(
    ("line", "uid", "expected"),
    [
        pytest.param(b"control v=1 do=ping", NOBODY, ("ok", None), id="for everyone"),
        pytest.param(b"control v=1 do=count", 0, ("ok", '[1, "two", null]'), id="for root"),
        pytest.param(b"control v=1 do=count", os.getuid(), ("ok", '[1, "two", null]'), id="for the daemon's user"),
        pytest.param(b"control v=1 do=count", NOBODY, ("permission", "only root"), id="for nobody else"),
        pytest.param(b'control v=1 do=echo a="b c"', 0, ("ok", '"a": "b c"'), id="an answer that comes later"),
        pytest.param(b"control v=1 do=fail", 0, ("state", "the disk is full"), id="the state fails"),
        pytest.param(b"control v=1 do=fail-later", 0, ("state", "the disk is full"), id="the state fails later"),
        pytest.param(b"control v=1 do=refuse", 0, ("missing-key", "it needs key="), id="wrong values"),
        pytest.param(b"control v=1 do=explode", 0, ("control", "do= is one of ping, count, fail"), id="unknown"),
        pytest.param(b"control v=1", 0, ("control", "do= is one of"), id="nothing"),
        pytest.param(b"control garbage", 0, ("syntax", "expected key=value"), id="not a request"),
    ],
)
async def test_requests(line: bytes, uid: int, expected: tuple[str, str | None]) -> None:
    data = Control(REQUESTS, refuse).handle(line, uid)
    reply = parse_reply((data if isinstance(data, bytes) else await data).rstrip(b"\n"))
    word, words = expected
    if word == "ok":
        assert (reply.verdict, "answer" in reply.extra) == ("ok", words is not None)
        assert (words or "") in reply.extra.get("answer", "")
    else:
        assert (reply.verdict, reply.reason) == ("error", word)
        assert (words or "") in reply.message


async def test_the_daemon_answers_them_over_its_socket(config: Path) -> None:
    async with running(config) as daemon:
        path = config.parent / "eximacl.sock"
        assert (await asyncio.to_thread(ask, path, b"control v=1 do=ping\n")).verdict == "ok"
        assert (await control(config, "status"))["pid"] == os.getpid()
        with pytest.raises(RequestRefused, match="do= is one of ping, status, reload, end-address, blocks"):
            await asyncio.to_thread(ask_control, path, "explode", {})
        assert daemon.status()["counts"]["error"] == 0
