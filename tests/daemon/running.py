"""A whole daemon in the test's own process, and asking it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from eximacl.config import load
from eximacl.daemon.daemon import Daemon
from eximacl.protocol.client import ask
from eximacl.protocol.exim import Reply, format_query

CONFIG = """
[server]
socket = "eximacl.sock"
[state]
url = "sqlite:state.db"
[log]
rejections = "rejections.jsonl"
[journal]
dir = "journal"
[policy]
domains = ["example.org"]
order = ["valid_recipient", "rdns_tld"]
[checks.valid_recipient]
recipients = ["steve"]
[checks.rdns_tld]
tlds = "tlds"
"""
RCPT = {"tx": "1-1", "ip": "192.0.2.7", "host": "mx.example.sa", "from": "a@example.net", "rcpt": "steve@example.org"}
# For what must happen soon, on a machine that is busy with something else.
PATIENCE_SECONDS = 20.0


@contextlib.asynccontextmanager
async def running(config: Path, environ: dict[str, str] | None = None) -> AsyncIterator[Daemon]:
    """The daemon in this process; stopped in order at the end."""
    daemon = Daemon(load(config), environ or {})
    task = asyncio.create_task(daemon.run())
    await until(lambda: task.done() or (config.parent / "eximacl.sock").exists())
    try:
        yield daemon
    finally:
        daemon.stop()
        await task


async def until(condition: Any) -> None:
    """Wait until `condition()` holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


async def query(config: Path, word: str = "rcpt", **values: str) -> Reply:
    line = format_query(word, {**RCPT, **values})
    return await asyncio.to_thread(ask, config.parent / "eximacl.sock", line)


async def control(config: Path, word: str, **values: str) -> Any:
    line = format_query("control", {"do": word, **values})
    reply = await asyncio.to_thread(ask, config.parent / "eximacl.sock", line)
    return json.loads(reply.extra["answer"]) if reply.verdict == "ok" else reply
