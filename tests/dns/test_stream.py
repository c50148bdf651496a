"""One question over TCP: its length before it, the answer whole or an error, and no connection left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from eximacl.dns import stream
from eximacl.mail.hosts import NameServer, parse_name_server
from tests.dns.asking import SECONDS


@asynccontextmanager
async def server(*chunks: bytes, hang: bool = False) -> AsyncIterator[tuple[NameServer, list[bytes]]]:
    """Listen on loopback: read a question, send these bytes one after the other, and close."""
    asked: list[bytes] = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        if hang:
            await reader.read()
        writer.close()
        ended.set()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        yield parse_name_server(f"127.0.0.1:{port}"), asked
        await asyncio.wait_for(ended.wait(), SECONDS)


@pytest.mark.parametrize("chunks", [(b"\x00\x05abcde",), (b"\x00", b"\x05ab", b"cde"), (b"\x00\x05abcdemore",)])
async def test_an_answer_in_whatever_pieces(chunks: tuple[bytes, ...]) -> None:
    async with server(*chunks) as (address, asked):
        assert await stream.ask(address, b"question") == b"abcde"
    assert asked == [b"question"]


@pytest.mark.parametrize("chunks", [(), (b"\x00",), (b"\x00\x05abc",)])
async def test_half_an_answer_is_an_error(chunks: tuple[bytes, ...]) -> None:
    async with server(*chunks) as (address, _):
        with pytest.raises(EOFError):
            await stream.ask(address, b"question")


async def test_whoever_gives_up_closes_the_connection() -> None:
    """The server's side ends too: `server` waits for that."""
    async with server(b"\x00", hang=True) as (address, asked):
        task = asyncio.create_task(stream.ask(address, b"question"))
        while not asked:
            assert not task.done(), task
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_nobody_listens() -> None:
    async with server() as (address, _):
        with pytest.raises(EOFError):
            await stream.ask(address, b"")
    with pytest.raises(OSError, match=r"refused|Connect"):
        await stream.ask(address, b"question")
