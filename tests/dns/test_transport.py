"""The transport: ids and ports are random, sockets end with their answers; servers of bare bytes see what is sent."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import pytest

from eximacl.dns import Resolver, Timing, lookup, transport
from eximacl.dns.servers import SUSPICIONS
from eximacl.dns.transport import ask_over_tcp, random_number
from eximacl.mail.hosts import NameServer, parse_name_server
from eximacl.policy.outcome import Unknown
from tests.dns.clock import Clock
from tests.dns.helpers import BUDGET, SECONDS, clean, lapse, sockets, until, wait
from tests.lab.names import Names
from tests.lab.replies import Reply

ADDRESS = ("192.0.2.1",)


@contextlib.contextmanager
def packets() -> Iterator[tuple[socket.socket, str]]:
    """Yield a socket that only the test reads, and its address as a resolver takes it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(SECONDS)
        yield sock, f"127.0.0.1:{sock.getsockname()[1]}"


async def test_ids_and_ports_cannot_be_guessed() -> None:
    clock = Clock()
    with packets() as (sock, address):
        resolver = Resolver([address], clock=clock)
        async with clean(resolver):
            for number in range(100):
                resolver.lookup(f"{number}.example.org", "A", clock() + BUDGET)
            seen = [sock.recvfrom(4096) for _ in range(100)]
        assert len({peer for _, peer in seen}) == transport.CHANNELS
        ids = [dns.message.from_wire(wire).id for wire, _ in seen]
        assert len(set(ids)) > 90
        assert max(ids) > 32_768 > min(ids)
        assert sorted(ids) != ids


async def test_the_questions_of_one_query_share_a_port() -> None:
    clock = Clock()
    with packets() as (sock, address):
        resolver = Resolver([address], clock=clock)
        async with clean(resolver):
            resolver.lookup_all([(f"{number}.example.org", "A") for number in range(20)], clock() + BUDGET)
            assert len({sock.recvfrom(4096)[1] for _ in range(20)}) == 1


async def test_ports_are_changed() -> None:
    clock = Clock()
    with Names({("*.example.org", "A"): ["192.0.2.1"]}) as names:
        resolver = Resolver([names.address], clock=clock, cache_entries=10)
        async with clean(resolver):
            before = sockets()
            asked = [(f"{number}.example.org", "A") for number in range(10 * transport.QUESTIONS_MAX)]
            assert await wait(resolver.lookup_all(asked, clock() + BUDGET)) == (ADDRESS,) * len(asked)
            assert resolver.status()["entries"] == 10
            assert sockets() <= before + transport.CHANNELS, "old ones are closed once all is answered"


async def test_an_id_in_use_is_not_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [7, 7, 8]
    monkeypatch.setattr(transport, "random_number", lambda: drawn.pop(0))
    clock = Clock()
    with packets() as (sock, address):
        resolver = Resolver([address], clock=clock)
        async with clean(resolver):
            resolver.lookup_all([("a.example.org", "A"), ("b.example.org", "A")], clock() + BUDGET)
            assert [sock.recv(4096)[:2] for _ in range(2)] == [b"\0\7", b"\0\10"]


async def test_a_forged_answer_is_counted_and_changes_nothing() -> None:
    clock = Clock()
    with packets() as (sock, address), packets() as (other, _):
        resolver = Resolver([address], clock=clock)
        async with clean(resolver):
            answer = resolver.lookup("a.example.org", "A", clock() + BUDGET)
            wire, peer = sock.recvfrom(4096)
            response = dns.message.make_response(dns.message.from_wire(wire), recursion_available=True)
            right = response.to_wire()
            response.id ^= 1
            for forged in (response.to_wire(), b"", b"x", right[:2] + wire[2:]):
                sock.sendto(forged, peer)
            other.sendto(right, peer)
            await until(lambda: resolver.status()["ignored"] == 4)
            assert isinstance(answer, asyncio.Future)
            assert not answer.done()
            sock.sendto(right, peer)
            assert await wait(answer) == ()
            sock.sendto(right, peer)  # a second one changes nothing
            assert resolver.lookup("a.example.org", "A", clock() + BUDGET) == ()


async def test_a_second_answer_is_ignored() -> None:
    clock = Clock()
    with packets() as (sock, address):
        resolver = Resolver([address], clock=clock)
        async with clean(resolver):
            asked = [("a.example.org", "A"), ("b.example.org", "A")]
            answers = resolver.lookup_all(asked, clock() + BUDGET)
            (first, peer), (second, _) = (sock.recvfrom(4096) for _ in range(2))
            for wire in (first, first, second):
                response = dns.message.make_response(dns.message.from_wire(wire), recursion_available=True)
                sock.sendto(response.to_wire(), peer)
            assert await wait(answers) == ((), ())
            assert resolver.status()["ignored"] == 1


async def test_when_no_socket_can_be_had_it_is_unknown() -> None:
    clock = Clock()
    resolver = Resolver(["127.0.0.1:9"], clock=clock)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        answers = [resolver.lookup(f"{number}.example.org", "A", clock() + BUDGET) for number in range(7)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    for number, answer in enumerate(answers[:6]):
        assert answer == Unknown(
            f"DNS: A of {number}.example.org cannot be asked for: 127.0.0.1:9: Too many open files"
        ) or "no name server answers" in str(answer)
    assert resolver.status()["servers_left_alone"] == ["127.0.0.1:9"]
    resolver.close()


async def test_every_question_of_a_broken_socket_ends() -> None:
    clock = Clock()
    resolver = Resolver(["127.77.0.0:9"], clock=clock)
    async with clean(resolver):
        first = resolver.lookup_all([("a.example.org", "A"), ("b.example.org", "A")], clock() + BUDGET)
        # The kernel reports the first packet when the next one is sent, or in the next turn.
        second = [resolver.lookup(f"{number}.example.org", "A", clock() + BUDGET) for number in range(20)]
        for answer in [*await wait(first), *[await wait(one) for one in second]]:
            assert "Connection refused" in str(answer)
        lapse(resolver, clock, BUDGET)


async def test_a_server_that_cannot_be_connected_to_is_passed_over() -> None:
    clock = Clock()
    with Names({("a.example.org", "A"): ["192.0.2.1"]}) as names:
        resolver = Resolver(["255.255.255.255", names.address], clock=clock)
        async with clean(resolver):
            assert await wait(resolver.lookup("a.example.org", "A", clock() + BUDGET)) == ADDRESS


async def test_two_truncated_answers_cost_one_connection() -> None:
    clock = Clock()
    with packets() as (sock, address):
        resolver = Resolver([address], clock=clock)
        async with clean(resolver):
            answer = resolver.lookup("a.example.org", "A", clock() + BUDGET)
            lapse(resolver, clock, Timing().tries[0])
            for wire, peer in [sock.recvfrom(4096) for _ in range(2)]:
                response = dns.message.make_response(dns.message.from_wire(wire))
                response.flags |= dns.flags.TC
                sock.sendto(response.to_wire(), peer)
            assert "TCP: " in str(await wait(answer)), "nothing listens there"
            assert resolver.status()["tcp"] == 1


async def test_sockets_are_few_when_no_answer_comes() -> None:
    clock = Clock()
    with packets() as (_, address):
        resolver = Resolver([address], clock=clock)
        async with clean(resolver):
            before = sockets()
            resolver.lookup_all([(f"{number}.example.org", "A") for number in range(1000)], clock() + BUDGET)
            for seconds in Timing().tries[:-1]:
                lapse(resolver, clock, seconds)
            assert sockets() - before < 100
            lapse(resolver, clock, Timing().fetch)
            assert resolver.status()["under_way"] == 0
            assert sockets() == before


async def test_connections_are_few_when_all_answers_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "CLIENTS_STREAMS_MAX", 5)
    clock = Clock()
    with Names({("*.example.org", "A"): Reply(["192.0.2.1"], udp="truncate", delay_seconds=0.05)}) as names:
        resolver = Resolver([names.address], clock=clock)
        async with clean(resolver):
            asked = [(f"{number}.example.org", "A") for number in range(12)]
            answers = await wait(resolver.lookup_all(asked, clock() + BUDGET))
            assert answers.count(ADDRESS) == 5
            assert str(answers).count("too many answers over TCP at once") == 7
            assert await wait(resolver.lookup("12.example.org", "A", clock() + BUDGET)) == ADDRESS


async def test_closing_ends_a_probe() -> None:
    clock = Clock()
    with packets() as (_, address):
        resolver = Resolver([address], clock=clock)
        async with clean(resolver):
            for number in range(SUSPICIONS):
                resolver.lookup(f"{number}.example.org", "A", clock() + BUDGET)
            lapse(resolver, clock, Timing().tries[0])
            resolver.lookup("a.example.org", "A", clock() + BUDGET)
            assert resolver.status()["servers_probed"] == [address]
        assert resolver.status()["servers_probed"] == []


def test_numbers_are_ids() -> None:
    assert all(0 <= random_number() < 65536 for _ in range(1000))


# TCP: the answer whole or an error, and no connection left.


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
        assert await ask_over_tcp(address, b"question") == b"abcde"
    assert asked == [b"question"]


@pytest.mark.parametrize("chunks", [(), (b"\x00",), (b"\x00\x05abc",)])
async def test_half_an_answer_is_an_error(chunks: tuple[bytes, ...]) -> None:
    async with server(*chunks) as (address, _):
        with pytest.raises(EOFError):
            await ask_over_tcp(address, b"question")


async def test_a_cancelled_question_closes_its_connection() -> None:
    """The server's side ends too: `server` waits for that."""
    async with server(b"\x00", hang=True) as (address, asked):
        task = asyncio.create_task(ask_over_tcp(address, b"question"))
        while not asked:
            assert not task.done(), task
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_nothing_listens() -> None:
    async with server() as (address, _):
        with pytest.raises(EOFError):
            await ask_over_tcp(address, b"")
    with pytest.raises(OSError, match=r"refused|Connect"):
        await ask_over_tcp(address, b"question")
