"""A DNS server that answers from a test's table, at once, on a loopback address.

A zone is a dict: `{("mx.example.net", "A"): ["127.9.0.1"], ("slow.example.net", "A"): SILENT}`; a name may begin
with `*.`, and a `Reply` instead of records is late, cut short, wrong or a lie.
"""

from __future__ import annotations

import contextlib
import heapq
import ipaddress
import itertools
import random
import selectors
import socket
import struct
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Literal

import dns.reversename

from tests.lab.namespace import require_root
from tests.lab.replies import SERVFAIL, SILENT, Answer, Asked, Reply, Zone, data_of, find, read, write
from tests.needs import needs

PORT = 53  # the only port that resolv.conf can mean
# 127.77.0.0/16 holds 65,000 addresses; this many taken ones in a row mean that binding fails for another reason.
ATTEMPTS = 50
# A burst of a thousand questions waits here while the tests' own threads have the processor.
BUFFER_BYTES = 4 * 1024 * 1024
DATAGRAMS_PER_TURN = 100


def reverse_zone(names: Mapping[str, str | Literal["SERVFAIL", "SILENT"]]) -> dict[tuple[str, str], Answer]:
    """Make PTR and matching A records of `{address: name}`; `SERVFAIL` or `SILENT` in place of a name is a fault."""
    zone: dict[tuple[str, str], Answer] = {}
    for address, name in names.items():
        pointer = dns.reversename.from_address(address).to_text().lower()
        if name == "SERVFAIL" or name == "SILENT":
            zone[pointer, "PTR"] = SERVFAIL if name == "SERVFAIL" else SILENT
            continue
        zone[pointer, "PTR"] = [f"{name}."]
        zone[name, "A" if ipaddress.ip_address(address).version == 4 else "AAAA"] = [address]
    return zone


class Table:
    """What the server knows, and what it was asked."""

    def __init__(self, zone: Zone) -> None:
        self.zone: dict[tuple[str, str], Answer] = {}
        self.names: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.learn(zone)

    def learn(self, zone: Zone) -> None:
        """Add or replace records. Raises where one is wrong."""
        for (_, kind), answer in zone.items():
            for text in answer.records if isinstance(answer, Reply) else () if isinstance(answer, str) else answer:
                data_of(kind, text)
        self.zone.update({(_plain(name), kind): answer for (name, kind), answer in zone.items()})
        self.names.update(name for name, _ in self.zone)

    def answer(self, wire: bytes, *, tcp: bool) -> tuple[Reply, list[bytes]]:
        """Return how to answer a query, and what to send. Raises as `read` does where it is none."""
        asked: Asked = read(wire)
        self.asked.append((asked.name, asked.kind))
        found = find(self.zone, self.names, asked.name, asked.kind)
        if (found.tcp if tcp else found.udp) in ("silent", "close"):
            return found, []
        made = write(asked, self.zone, self.names, found, tcp=tcp)
        return found, list(found.lie(made)) if found.lie else [made]


class Listening:
    """The server's sockets. `serve` answers until `stop`."""

    def __init__(self, table: Table, udp: socket.socket, tcp: socket.socket) -> None:
        self._table = table
        self._udp, self._tcp = udp, tcp
        self._other = socket.socket(udp.family, socket.SOCK_DGRAM)  # from where some lies come
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._clients: dict[socket.socket, bytes] = {}
        # When, in which order, to whom (an address, or a client's connection), from where, what.
        self._later: list[tuple[float, int, object, socket.socket, bytes]] = []
        self._order = itertools.count()
        for sock in (udp, tcp, self._woken):
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ)

    def serve(self) -> None:
        """Answer."""
        while True:
            timeout = max(0.0, self._later[0][0] - time.monotonic()) if self._later else None
            for key, _ in self._selector.select(timeout):
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._udp:
                    self._datagrams()
                elif key.fileobj is self._tcp:
                    self._accept()
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._stream(key.fileobj)
            while self._later and self._later[0][0] <= time.monotonic():
                self._send(*heapq.heappop(self._later)[2:])

    def stop(self) -> None:
        """Make `serve` return, from another thread."""
        self._wake.send(b"x")

    def close(self) -> None:
        """Close all sockets."""
        self._selector.close()
        for sock in (self._udp, self._tcp, self._other, self._wake, self._woken, *self._clients):
            sock.close()

    def _datagrams(self) -> None:
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                wire, peer = self._udp.recvfrom(65535)
            except OSError:
                return
            with contextlib.suppress(ValueError, IndexError, struct.error):
                found, messages = self._table.answer(wire, tcp=False)
                for made in messages:
                    self._schedule(found, peer, self._other if found.elsewhere else self._udp, made)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._tcp.accept()
            client.setblocking(False)
            self._clients[client] = b""
            self._selector.register(client, selectors.EVENT_READ)

    def _stream(self, client: socket.socket) -> None:
        try:
            chunk = client.recv(65535)
        except OSError:
            chunk = b""
        if not chunk:
            self._forget(client)
            return
        held = self._clients[client] + chunk
        while len(held) >= 2 and len(held) >= 2 + int.from_bytes(held[:2]):
            end = 2 + int.from_bytes(held[:2])
            found, messages = self._table.answer(held[2:end], tcp=True)
            held = held[end:]
            if found.tcp == "close":
                self._forget(client)
                return
            for made in messages:
                self._schedule(found, client, client, len(made).to_bytes(2) + made)
        self._clients[client] = held

    def _forget(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._clients[client]
        client.close()

    def _schedule(self, found: Reply, peer: object, sock: socket.socket, made: bytes) -> None:
        if found.delay_seconds:
            at = time.monotonic() + found.delay_seconds
            heapq.heappush(self._later, (at, next(self._order), peer, sock, made))
        else:
            self._send(peer, sock, made)

    def _send(self, peer: object, sock: socket.socket, made: bytes) -> None:
        with contextlib.suppress(OSError):  # who asked has gone, or takes no more
            if peer is sock:
                sock.setblocking(True)
                sock.sendall(made)
                sock.setblocking(False)
            else:
                assert isinstance(peer, tuple)
                sock.sendto(made, peer)


class Names:
    """A DNS server on a free 127.77.x.y:53, UDP and TCP, in a thread. `asked` lists what was asked."""

    @needs("needs_root", "needs_network")
    def __init__(self, zone: Zone | None = None) -> None:
        self._table = Table(zone or {})
        udp, tcp, self.address = _bind_anywhere()
        self._listening = Listening(self._table, udp, tcp)
        self._thread = threading.Thread(target=self._listening.serve, name="fake DNS", daemon=True)
        self._thread.start()

    @property
    def asked(self) -> list[tuple[str, str]]:
        """What was asked so far: names in lower case without the last dot, and kinds."""
        return self._table.asked

    def learn(self, zone: Zone) -> None:
        """Add or replace records; a query sees all of them or none."""
        self._table.learn(zone)

    def close(self) -> None:
        """Stop answering. Calling it twice is harmless."""
        if self._thread.is_alive():
            self._listening.stop()
            self._thread.join(5)
        self._listening.close()

    def __enter__(self) -> Names:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def bind(address: str, port: int = PORT) -> tuple[socket.socket, socket.socket]:
    """Return a UDP socket and a listening TCP socket, both bound. Raises OSError where either cannot be."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    udp, tcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
    try:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        udp.bind((address, port))
        tcp.bind((address, port))
        tcp.listen()
    except OSError:
        udp.close()
        tcp.close()
        raise
    return udp, tcp


def _bind_anywhere() -> tuple[socket.socket, socket.socket, str]:
    require_root()
    for _ in range(ATTEMPTS):
        address = f"127.77.{random.randrange(256)}.{random.randrange(1, 255)}"
        try:
            return *bind(address), address
        except OSError as error:
            last = error
    raise RuntimeError(f"no free address 127.77.x.y for DNS on port {PORT}: {last}")
