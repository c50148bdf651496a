"""CPU of the asking process a DNS look-up (µs, user and system), four at once as a query asks its blocklists.

The server is a process of its own; half of the names are listed, the others do not exist. Cold: no name is asked
twice. Warm: the same four again and again. One query at a time: under load several share a wake-up and cost less.
`python -m bench.dns` prints this table alone, with aiodns (c-ares) where that is installed. docs/dns.md has figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import itertools
import json
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import dns.asyncresolver
import dns.exception
import dns.message
import dns.rdatatype
import dns.resolver

from bench.running import STOP_SECONDS, BenchError
from eximacl.dns import Resolver
from eximacl.dns.message import encode_name, query, question

ROUNDS = 5
QUERIES = 300
WARM_QUERIES = 3000
ZONES = ("bl1.example.org", "bl2.example.org", "bl3.example.org", "bl4.example.org")
LISTED = ZONES[:2]
# Never used up: the server is on this machine.
WAIT_SECONDS = 10.0

# Asks for one client's name in all zones, and waits for all the answers.
Ask: TypeAlias = Callable[[str], Awaitable[object]]
_numbers = itertools.count(int(time.time()) % 100_000 * 10_000)


@contextlib.contextmanager
def nameserver(directory: Path) -> Iterator[tuple[str, int]]:
    """Run the tests' DNS server in a process of its own; yield its address and port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    zone = directory / "zone.json"
    zone.write_text(json.dumps([(f"*.{name}", "A", ["127.0.0.2"]) for name in LISTED]), encoding="utf-8")
    command = [sys.executable, "-m", "tests.lab.serve_names", f"127.0.0.1:{port}", str(zone)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            if not server.stdout.readline():
                raise BenchError("the DNS server does not start")
            yield "127.0.0.1", port
        finally:
            server.terminate()
            server.wait(STOP_SECONDS)


def ours(server: tuple[str, int]) -> tuple[Ask, Callable[[], None]]:
    """The daemon's resolver."""
    resolver = Resolver([f"{server[0]}:{server[1]}"])

    async def ask(name: str) -> object:
        answers = resolver.lookup_all([(f"{name}.{zone}", "A") for zone in ZONES], time.monotonic() + WAIT_SECONDS)
        return answers if isinstance(answers, tuple) else await answers

    return ask, resolver.close


def library(server: tuple[str, int]) -> tuple[Ask, Callable[[], None]]:
    """dnspython's own asynchronous resolver, with its cache."""
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [server[0]], server[1]
    resolver.cache = dns.resolver.LRUCache(10_000)

    async def one(name: str) -> Sequence[str]:
        try:
            return [item.to_text() for item in await resolver.resolve(name, "A", search=False)]
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []

    async def ask(name: str) -> object:
        return await asyncio.gather(*(one(f"{name}.{zone}") for zone in ZONES))

    return ask, lambda: None


def c_ares(server: tuple[str, int]) -> tuple[Ask, Callable[[], None]]:
    """c-ares, by aiodns; without a cache and without limits of a query."""
    aiodns = importlib.import_module("aiodns")
    resolver = aiodns.DNSResolver([server[0]], udp_port=server[1], tcp_port=server[1], timeout=WAIT_SECONDS)
    look_up = getattr(resolver, "query_dns", None) or resolver.query

    async def one(name: str) -> object:
        try:
            return await look_up(name, "A")
        except aiodns.error.DNSError:
            return ()

    async def ask(name: str) -> object:
        return await asyncio.gather(*(one(f"{name}.{zone}") for zone in ZONES))

    return ask, resolver.cancel


class Messages:
    """One connected UDP socket in the event loop, and functions that make and read the messages."""

    def __init__(
        self, server: tuple[str, int], make: Callable[[int, str], bytes], read: Callable[[bytes], object]
    ) -> None:
        self._make, self._read = make, read
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._sock.connect(server)
        self._ids = itertools.count()
        self._pending: dict[int, asyncio.Future[object]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock, self._take)

    def _take(self) -> None:
        while self._pending:
            try:
                wire = self._sock.recv(4096)
            except BlockingIOError:
                return
            self._pending.pop(int.from_bytes(wire[:2])).set_result(self._read(wire))

    async def ask(self, name: str) -> object:
        """Ask all zones."""
        futures = []
        for zone in ZONES:
            number = next(self._ids) & 0xFFFF
            self._sock.send(self._make(number, f"{name}.{zone}"))
            self._pending[number] = self._loop.create_future()
            futures.append(self._pending[number])
        return [await future for future in futures]

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._sock)
        self._sock.close()


def reading(server: tuple[str, int]) -> tuple[Ask, Callable[[], None]]:
    """Our queries, and dnspython's `from_wire` for the answers; over one socket, without a cache."""

    def make(number: int, name: str) -> bytes:
        return query(number, question(encode_name(name) or b"", "A"), True)

    def read(wire: bytes) -> object:
        return [item.to_text() for rrset in dns.message.from_wire(wire).answer for item in rrset]

    asking = Messages(server, make, read)
    return asking.ask, asking.close


def messages(server: tuple[str, int]) -> tuple[Ask, Callable[[], None]]:
    """dnspython's messages over one socket of ours, in both directions; without a cache."""

    def make(number: int, name: str) -> bytes:
        return dns.message.make_query(name, "A", id=number, use_edns=0, payload=1232).to_wire()

    def read(wire: bytes) -> object:
        return [item.to_text() for rrset in dns.message.from_wire(wire).answer for item in rrset]

    asking = Messages(server, make, read)
    return asking.ask, asking.close


def nothing(server: tuple[str, int]) -> tuple[Ask, Callable[[], None]]:
    """The limit in Python: send and receive in the event loop, and ignore what comes."""
    asking = Messages(server, lambda number, name: query(number, question(encode_name(name) or b"", "A"), True), len)
    return asking.ask, asking.close


WAYS = {
    "dnspython's asyncresolver": library,
    "dnspython's messages": messages,
    "dnspython reads": reading,
    "sockets alone": nothing,
    "eximacl.dns": ours,
}
if importlib.util.find_spec("aiodns"):
    WAYS["aiodns"] = c_ares
CACHED = ("dnspython's asyncresolver", "eximacl.dns")


async def _cost(
    way: Callable[[tuple[str, int]], tuple[Ask, Callable[[], None]]], server: tuple[str, int], warm: bool
) -> float:
    ask, close = way(server)
    name = f"x{next(_numbers)}"
    await ask(name)  # opens sockets, fills the cache
    queries = WARM_QUERIES if warm else QUERIES
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(queries):
        await ask(name if warm else f"x{next(_numbers)}")
    after = resource.getrusage(resource.RUSAGE_SELF)
    close()
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / queries / len(ZONES) * 1e6


def measure(directory: Path, rounds: int) -> Iterator[str]:
    """Yield the table's lines. Raises BenchError."""
    yield f"{'':28}{'cold':>8}{'warm':>8}"
    with nameserver(directory) as server:
        cold: dict[str, list[float]] = {name: [] for name in WAYS}
        warm: dict[str, list[float]] = {name: [] for name in CACHED}
        for _ in range(rounds):
            for name, way in WAYS.items():
                cold[name].append(asyncio.run(_cost(way, server, warm=False)))
            for name in CACHED:
                warm[name].append(asyncio.run(_cost(WAYS[name], server, warm=True)))
    for name, found in cold.items():
        cached = f"{statistics.median(warm[name]):8.1f}" if name in warm else f"{'':8}"
        yield f"{name:28}{statistics.median(found):8.1f}{cached}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="eximacl-bench-") as chosen:
        for line in measure(Path(chosen), ROUNDS):
            print(line, flush=True)
