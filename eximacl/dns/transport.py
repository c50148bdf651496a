"""Questions on the wire: UDP sockets to the name servers (RFC 5452), and TCP for long answers (RFC 7766).

Over UDP an answer counts only if it comes from the server that was asked, to the port that asked, with the id and the
question that were sent; everything else is counted and ignored.

Each socket is connected, so the kernel drops what others send, reports ports where nobody listens, and picks our port
at random. The questions of one query share a socket, so that one turn of the event loop reads all their answers; the
next query takes another.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from eximacl.dns.message import is_answer, number_of, query
from eximacl.dns.servers import Upstream
from eximacl.mail.hosts import NameServer

# Ports among which an attacker has to guess, for each server.
CHANNELS = 4
# A port that an attacker has found is soon worthless; opening another costs 20 µs, a fifth of a microsecond a look-up.
QUESTIONS_MAX = 100
# Keeps one turn of the event loop for one socket to some milliseconds.
ANSWERS_PER_TURN = 64
# More than EDNS_BYTES, so that a longer answer is seen to be one.
RECV_BYTES = 4096


class Exchange:
    """A question as it is sent, and where an answer may still come from.

    question: in wire form. edns: whether to send it with EDNS. tries: the channels that it was sent over, each with
    the id under which the answer comes.
    """

    __slots__ = ("edns", "question", "tries")

    def __init__(self, question: bytes) -> None:
        self.question = question
        self.edns = True
        self.tries: list[tuple[Channel[Any], int]] = []

    def forget_tries(self) -> None:
        """Ignore any further answers to what was sent."""
        tries, self.tries = self.tries, []
        for channel, number in tries:
            channel.forget(number)


E = TypeVar("E", bound=Exchange)


class Channel(Generic[E]):
    """One socket, connected to one server. pending: what an answer may still come for, by id."""

    __slots__ = ("_owner", "pending", "retired", "sent", "server", "sock")

    def __init__(self, server: Upstream, owner: Channels[E]) -> None:
        self._owner = owner
        self.server = server
        self.pending: dict[int, E] = {}
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
        """Ignore an answer with this id."""
        self.pending.pop(number, None)
        if self.retired and not self.pending:
            self._owner.close_channel(self)

    def drop(self) -> None:
        """Send nothing more over it; answers to it still count. Calling it twice is harmless."""
        self._owner.drop(self)

    def retire(self) -> None:
        """Close it as soon as no answer is expected any more."""
        self.retired = True
        if not self.pending:
            self._owner.close_channel(self)


class Channels(Generic[E]):
    """The sockets to all servers.

    answered: called with each answer that counts. broken: called for each question that will get no answer, with what
    the kernel says is wrong.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        answered: Callable[[E, Upstream, bytes], None],
        broken: Callable[[E, Upstream, str], None],
    ) -> None:
        self._loop = loop
        self._answered = answered
        self._broken = broken
        self._pools: dict[Upstream, list[Channel[E] | None]] = {}
        self._open: set[Channel[E]] = set()
        self._slot = 0
        self.sent = 0
        self.ignored = 0

    def turn(self) -> None:
        """Send what follows over another socket."""
        self._slot = os.urandom(1)[0] % CHANNELS

    def send(self, exchange: E, server: Upstream) -> None:
        """Send a question. Raises OSError if the server cannot be reached."""
        channel = self._channel(server)
        try:
            self._send(exchange, channel)
        except OSError as error:
            # It may be about an earlier packet, or about an address that this machine has lost since. So everything
            # sent over this socket has failed, and a new socket gets one chance.
            self.renew(server)
            self._loop.call_soon(self._break, channel, error)
            self._send(exchange, self._channel(server))

    def drop(self, channel: Channel[E]) -> None:
        """Send nothing more over this socket; answers to it still count. Calling it twice is harmless."""
        pool = self._pools.get(channel.server, [])
        if channel in pool:
            pool[pool.index(channel)] = None
        channel.retire()

    def renew(self, server: Upstream) -> None:
        """Take new sockets for a server from here on; answers to the old ones still count."""
        for channel in self._pools.pop(server, ()):
            if channel is not None:
                channel.retire()

    def keep(self, servers: Sequence[Upstream]) -> None:
        """Close the sockets to all other servers."""
        for server in [server for server in self._pools if server not in servers]:
            self.renew(server)

    def close(self) -> None:
        """Close all sockets."""
        self._pools.clear()
        for channel in list(self._open):
            self.close_channel(channel)

    def close_channel(self, channel: Channel[E]) -> None:
        """Close one socket. Calling it twice is harmless."""
        self._open.discard(channel)
        if channel.sock.fileno() >= 0 and not self._loop.is_closed():
            self._loop.remove_reader(channel.sock.fileno())
        channel.sock.close()

    def _channel(self, server: Upstream) -> Channel[E]:
        """Return the socket to use now, opened if need be. Raises OSError."""
        pool = self._pools.get(server)
        if pool is None:
            pool = self._pools[server] = [None] * CHANNELS
        channel = pool[self._slot]
        if channel is not None and channel.sent < QUESTIONS_MAX:
            return channel
        pool[self._slot] = None  # in case opening fails
        if channel is not None:
            channel.retire()
        channel = pool[self._slot] = Channel(server, self)
        self._open.add(channel)
        self._loop.add_reader(channel.sock.fileno(), self._read, channel)
        return channel

    def _send(self, exchange: E, channel: Channel[E]) -> None:
        while (number := random_number()) in channel.pending:  # at most QUESTIONS_MAX of 65,536 are
            pass
        channel.sock.send(query(number, exchange.question, exchange.edns))
        channel.pending[number] = exchange
        channel.sent += 1
        exchange.tries.append((channel, number))
        self.sent += 1

    def _read(self, channel: Channel[E]) -> None:
        for _ in range(ANSWERS_PER_TURN):
            try:
                wire = channel.sock.recv(RECV_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                self._break(channel, error)
                return
            self._take(channel, wire)
            if not channel.pending:  # nothing more is expected, and the socket may be closed by now
                break
        if channel.retired and not channel.pending:
            self.close_channel(channel)

    def _take(self, channel: Channel[E], wire: bytes) -> None:
        exchange = channel.pending.get(number_of(wire))
        if exchange is None or not is_answer(wire, exchange.question):
            self.ignored += 1
            return
        del channel.pending[number_of(wire)]
        self._answered(exchange, channel.server, wire)

    def _break(self, channel: Channel[E], error: OSError) -> None:
        """Nobody listens there, or the route is gone: nothing that was sent over this socket will be answered."""
        exchanges = list(channel.pending.values())
        channel.pending.clear()
        self.drop(channel)
        for exchange in exchanges:
            self._broken(exchange, channel.server, error.strerror or "unreachable")


def random_number() -> int:
    """Return a random message id."""
    return int.from_bytes(os.urandom(2))


async def ask_over_tcp(server: NameServer, wire: bytes) -> bytes:
    """Send a query; return the bytes of its answer, unread, and close the connection.

    Raises OSError or EOFError. It sets no time limit.
    """
    reader, writer = await asyncio.open_connection(server.ip, server.port)
    try:
        writer.write(len(wire).to_bytes(2) + wire)
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
    finally:
        writer.transport.abort()
