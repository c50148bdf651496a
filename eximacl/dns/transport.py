"""UDP sockets to the nameservers (RFC 5452). Rule: an answer counts only if it comes from the server that was asked,
to the port that asked, with the id and the question that were sent; anything else is counted and ignored.

Each socket is connected, so the kernel throws away what others send, tells of ports where nobody listens, and picks
the port at random. The questions of one query share a socket, so that one turn of the event loop reads their answers;
the next query takes another.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from eximacl.dns.flights import Flight
from eximacl.dns.message import is_answer, number_of, query
from eximacl.dns.servers import Server

# Ports among which an attacker has to guess, for each server.
CHANNELS = 4
# A port that was found out is worth little; opening another costs 20 µs, so this is a fifth of a microsecond a look-up.
QUESTIONS_MAX = 100
# One turn of the event loop for one socket is some milliseconds at most.
ANSWERS_PER_TURN = 64
# More than EDNS_BYTES, so that a longer answer is seen to be one.
RECV_BYTES = 4096


class Channel:
    """One socket, connected to one server. `pending`: whose answers may come, by id."""

    __slots__ = ("_owner", "pending", "retired", "sent", "server", "sock")

    def __init__(self, server: Server, owner: Channels) -> None:
        self._owner = owner
        self.server = server
        self.pending: dict[int, Flight] = {}
        self.sent = 0
        self.retired = False
        family = socket.AF_INET6 if ":" in server.address.ip else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self.sock.connect(server.address)
        except OSError:
            self.sock.close()
            raise

    def forget(self, number: int) -> None:
        """Take no more answer with this id."""
        self.pending.pop(number, None)
        if self.retired and not self.pending:
            self._owner.close_channel(self)

    def drop(self) -> None:
        """Ask no more over it; answers to it still count. Twice is harmless."""
        self._owner.drop(self)

    def retire(self) -> None:
        """Close it as soon as no answer can come any more."""
        self.retired = True
        if not self.pending:
            self._owner.close_channel(self)


class Channels:
    """The sockets to all servers. answered, broken: called with what came, and with what the kernel says is wrong."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        answered: Callable[[Flight, Server, bytes], None],
        broken: Callable[[Flight, Server, str], None],
    ) -> None:
        self._loop = loop
        self._answered = answered
        self._broken = broken
        self._pools: dict[Server, list[Channel | None]] = {}
        self._open: set[Channel] = set()
        self._slot = 0
        self.sent = 0
        self.ignored = 0

    def turn(self) -> None:
        """From here on, questions take another socket."""
        self._slot = os.urandom(1)[0] % CHANNELS

    def send(self, flight: Flight, server: Server) -> None:
        """Send a flight's question. Raises OSError where the server cannot be reached."""
        channel = self._channel(server)
        try:
            self._send(flight, channel)
        except OSError as error:  # perhaps about an earlier packet, or an address that this machine has lost since
            self.renew(server)
            self._loop.call_soon(self._break, channel, error)
            self._send(flight, self._channel(server))

    def drop(self, channel: Channel) -> None:
        """Ask no more over this socket; answers to it still count. Dropping it twice is harmless."""
        pool = self._pools.get(channel.server, [])
        if channel in pool:
            pool[pool.index(channel)] = None
        channel.retire()

    def renew(self, server: Server) -> None:
        """Take new sockets for a server from here on; answers to the old ones still count."""
        for channel in self._pools.pop(server, ()):
            if channel is not None:
                channel.retire()

    def keep(self, servers: list[Server]) -> None:
        """Close the sockets to all others."""
        for server in [server for server in self._pools if server not in servers]:
            self.renew(server)

    def close(self) -> None:
        """Close all."""
        self._pools.clear()
        for channel in list(self._open):
            self.close_channel(channel)

    def _channel(self, server: Server) -> Channel:
        pool = self._pools.get(server)
        if pool is None:
            pool = self._pools[server] = [None] * CHANNELS
        channel = pool[self._slot]
        if channel is not None and channel.sent < QUESTIONS_MAX:
            return channel
        pool[self._slot] = None  # should opening fail
        if channel is not None:
            channel.retire()
        channel = pool[self._slot] = Channel(server, self)
        self._open.add(channel)
        self._loop.add_reader(channel.sock.fileno(), self._read, channel)
        return channel

    def _send(self, flight: Flight, channel: Channel) -> None:
        while (number := random_number()) in channel.pending:  # at most QUESTIONS_MAX of 65,536 are
            pass
        channel.sock.send(query(number, flight.question, flight.edns))
        channel.pending[number] = flight
        channel.sent += 1
        flight.tries.append((channel, number))
        self.sent += 1

    def _read(self, channel: Channel) -> None:
        for _ in range(ANSWERS_PER_TURN):
            try:
                wire = channel.sock.recv(RECV_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                self._break(channel, error)
                return
            self._take(channel, wire)
            if not channel.pending:  # nobody waits for more, and it may be closed
                break
        if channel.retired and not channel.pending:
            self.close_channel(channel)

    def _take(self, channel: Channel, wire: bytes) -> None:
        flight = channel.pending.get(number_of(wire))
        if flight is None or not is_answer(wire, flight.question):
            self.ignored += 1
            return
        del channel.pending[number_of(wire)]
        self._answered(flight, channel.server, wire)

    def _break(self, channel: Channel, error: OSError) -> None:
        """Nobody listens there, or the way there is gone: none of what was sent will be answered."""
        flights = list(channel.pending.values())
        channel.pending.clear()
        self.drop(channel)
        for flight in flights:
            self._broken(flight, channel.server, error.strerror or "unreachable")

    def close_channel(self, channel: Channel) -> None:
        """Close one. Twice is harmless."""
        self._open.discard(channel)
        if channel.sock.fileno() >= 0 and not self._loop.is_closed():
            self._loop.remove_reader(channel.sock.fileno())
        channel.sock.close()


def random_number() -> int:
    """Return a random id."""
    return int.from_bytes(os.urandom(2))
