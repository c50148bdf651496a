"""Serving queries: one connection, one query, one reply, close. Only bytes come and go here.

A query that has arrived is answered before anything is waited for. Several connections are accepted in one turn of
the event loop; each is read at once, answered and closed. Only one whose query has not arrived yet waits.

How it waits decides what a query costs, since Exim connects first and writes a moment later. CPU time of this process
per query, with `bench/load.c` on the same two cores and a constant reply (medians; a busy machine may double all):

| way | flat out | 3,000/s | 1,000/s |
|---|---|---|---|
| C, blocking (`bench/limit.c`) | 13 µs | 19 µs | 26 µs |
| `loop.add_reader` for each waiting connection, `socket.accept()` | 22 µs | 85 µs | 114 µs |
| the same with bare `SocketType` objects | 16 µs | 74 µs | 96 µs |
| **one epoll of our own, itself one reader of the loop; `SocketType` objects** | 16 µs | 64 µs | 86 µs |
| the same inside a selector of our own that asyncio runs on | 17 µs | 55 µs | 76 µs |

So there is one epoll, and the sockets are the C type that `socket.socket` wraps (`socket.SocketType`). The last row
would save a tenth of a whole query, at the price of a selector that answers queries itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import logging
import select
import socket
import time
from collections.abc import Awaitable, Callable, Sequence

from eximacl.daemon.limits import Limits, Slow
from eximacl.daemon.sockets import BACKLOG, Listener, allow_descriptors
from eximacl.protocol.exim import CONTROL, LineReader, ProtocolError
from eximacl.system.throttle import Complaints
from eximacl.system.users import peer_uid

# A query without its newline in; the reply out, or an awaitable of it.
Handle = Callable[[bytes], bytes | Awaitable[bytes]]
# What to answer where there is no query to answer: late, empty, too long, overload, internal.
Refuse = Callable[[ProtocolError], bytes]
# A `control …` line and the user id of the process that sent it (SO_PEERCRED, unix(7)).
ControlHandle = Callable[[bytes, int], bytes | Awaitable[bytes]]

# Enough for any query except those at DATA; it also bounds what one turn spends on one connection.
RECV_BYTES = 64 * 1024
# How many are accepted before those that wait get a turn: a few milliseconds' worth.
ACCEPTS_PER_TURN = 64
EVENTS_PER_TURN = 128
# How late a deadline may be noticed: one timer for all connections is cheaper than one for each.
SWEEP_SECONDS = 0.5
# How long to leave the backlog alone when there is no free descriptor and no connection to give up.
PAUSE_SECONDS = 0.1
# How late the last answer may be noticed while stopping.
DRAIN_STEP_SECONDS = 0.01
# For the process's own files, DNS sockets, and what libraries open.
SPARE_DESCRIPTORS = 256
# What a refused client may still be sending; it is read and thrown away, or the kernel would reset the connection.
DRAIN_BYTES = 4 * 1024 * 1024

_CONTROL_PREFIX = CONTROL.encode() + b" "
_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = logging.getLogger("eximacl")


class _Client:
    """A connection that waits for the rest of its query, or (with `rest`) for room to send the rest of its reply."""

    __slots__ = ("reader", "rest", "since", "size", "sock")

    def __init__(self, sock: socket.SocketType, since: float) -> None:
        self.sock = sock
        self.since = since
        self.reader: LineReader | None = None
        self.size = 0
        self.rest = b""


class Server:
    """Answers the queries that come to `listeners`. Make it and `start` it inside a running event loop.

    handle: called with each line; what it raises is logged and answered with `refuse`.
    refuse: called with a ProtocolError; must not raise.
    control: called for lines that begin with `control `, if given; costs other queries nothing.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        handle: Handle,
        refuse: Refuse,
        control: ControlHandle | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._listeners = {listener.socket.fileno(): listener for listener in listeners}
        self._handle = handle
        self._refuse = refuse
        self._control = control
        self._limits = limits or Limits()
        self._epoll = select.epoll()
        # In the order of `since`: the oldest first.
        self._clients: dict[int, _Client] = {}
        self._buffered = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._slow: set[asyncio.Task[None]] = set()
        self._sweeping = False
        self._draining: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._complaints = Complaints(log)

    def start(self) -> None:
        """Begin to answer."""
        allow_descriptors(self._limits.waiting + self._limits.pending + SPARE_DESCRIPTORS)
        for fd, listener in self._listeners.items():
            listener.socket.setblocking(False)
            self._epoll.register(fd, select.EPOLLIN)
        self._loop.add_reader(self._epoll.fileno(), self.turn)

    async def close(self) -> None:
        """Stop listening, answer every query already received, give the others time to arrive, and end.

        Calling it again waits for the same end.
        """
        if self._draining is None:
            self._draining = self._loop.create_task(self._drain())
        await asyncio.shield(self._draining)

    def sweep(self, now: float) -> None:
        """Refuse what is past its deadline at `now` (as time.monotonic). Called by a timer while anyone waits."""
        before = now - self._limits.query_seconds
        for fd, client in list(itertools.takewhile(lambda item: item[1].since <= before, self._clients.items())):
            self._give_up(fd, client, ProtocolError("late", "the query was not sent in time"))

    @property
    def waiting(self) -> int:
        """How many connections wait for the rest of their query, or for room for the rest of their reply."""
        return len(self._clients)

    @property
    def pending(self) -> int:
        """How many queries' replies are being waited for."""
        return len(self._tasks) + len(self._slow)

    # The direct path.

    def turn(self, events: Sequence[tuple[int, int]] = ()) -> None:
        """Do what these events (of epoll) ask for, or those that have come. One may be about an earlier connection."""
        clients = self._clients
        for fd, _ in events or self._epoll.poll(0, EVENTS_PER_TURN):
            client = clients.get(fd)
            if client is None:
                if fd in self._listeners:
                    self._accept(self._listeners[fd].socket)
            elif client.rest:
                self._send_rest(fd, client)
            else:
                self._read(fd, client)

    def _accept(self, listener: socket.socket) -> bool:
        """Accept and answer a burst. Returns whether there may be more."""
        for _ in range(ACCEPTS_PER_TURN):
            try:
                # Private, but it saves 2.4 of the 4.6 µs that a connection costs with accept() (bench/accept.py).
                fd, _address = listener._accept()  # type: ignore[attr-defined]  # not in typeshed
            except BlockingIOError:
                return False
            except OSError as error:
                if not self._make_room(listener, error):
                    return False
                continue
            # The socket stays in blocking mode, and each call says MSG_DONTWAIT: that saves a system call.
            sock = socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM, 0, fd)
            try:
                chunk = sock.recv(RECV_BYTES, socket.MSG_DONTWAIT)
            except OSError:  # nothing there yet; if it is anything else, `_read` will meet it again
                self._wait(fd, _Client(sock, time.monotonic()))
                continue
            end = chunk.find(b"\n")
            if end >= 0:
                self._answer(sock, chunk[:end])
                continue
            client = _Client(sock, time.monotonic())
            self._wait(fd, client)
            self._collect(fd, client, chunk)
        return True

    def _read(self, fd: int, client: _Client) -> None:
        try:
            chunk = client.sock.recv(RECV_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:  # the event was about an earlier connection with this number
            return
        except OSError:
            chunk = b""
        if client.reader is None:
            end = chunk.find(b"\n")
            if end >= 0:
                del self._clients[fd]
                self._answer(client.sock, chunk[:end])
                return
        self._collect(fd, client, chunk)

    def _collect(self, fd: int, client: _Client, chunk: bytes) -> None:
        """Take a part of a line; no bytes mean that the peer has half-closed."""
        if client.reader is None:
            client.reader = LineReader()
        try:
            line = client.reader.feed(chunk) if chunk else client.reader.end()
        except ProtocolError as error:
            self._give_up(fd, client, error)
            return
        if line is not None:
            self._forget(fd, client)
            self._answer(client.sock, line)
            return
        client.size += len(chunk)
        self._buffered += len(chunk)
        if self._buffered > self._limits.waiting_bytes:
            self._give_up_oldest()

    def _answer(self, sock: socket.SocketType, line: bytes) -> None:
        try:
            if self._control is not None and line.startswith(_CONTROL_PREFIX):
                reply = self._control(line, peer_uid(sock))
            else:
                reply = self._handle(line)
        except Exception:
            reply = self._failed()
        if isinstance(reply, bytes):
            self._send(sock, reply)
        else:
            self._answer_later(sock, reply)

    def _send(self, sock: socket.SocketType, reply: bytes) -> None:
        try:
            sent = sock.send(reply, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            sent = 0
        except OSError:  # the peer has gone
            sent = len(reply)
        if sent == len(reply):
            sock.close()
            return
        client = _Client(sock, time.monotonic())
        client.rest = reply[sent:]
        self._wait(sock.fileno(), client)

    # What waits.

    def _wait(self, fd: int, client: _Client) -> None:
        self._clients[fd] = client
        if client.rest:
            self._unregister(fd)
            self._epoll.register(fd, select.EPOLLOUT)
        else:
            self._epoll.register(fd, select.EPOLLIN)
        self._sweep_later()
        if len(self._clients) > self._limits.waiting:
            self._give_up_oldest()

    def _sweep_later(self) -> None:
        if self._clients and not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = False
        self.sweep(time.monotonic())
        self._sweep_later()

    def _send_rest(self, fd: int, client: _Client) -> None:
        del self._clients[fd]
        self._send(client.sock, client.rest)

    def _forget(self, fd: int, client: _Client) -> None:
        del self._clients[fd]
        self._buffered -= client.size

    def _give_up_oldest(self) -> None:
        self._give_up(*next(iter(self._clients.items())), ProtocolError("overload", "too many queries at once"))

    def _give_up(self, fd: int, client: _Client, error: ProtocolError) -> None:
        """Refuse a query that is not complete; a connection that does not take its reply is only closed."""
        self._forget(fd, client)
        if not client.rest:
            with contextlib.suppress(OSError):
                client.sock.send(self._refuse(error), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            _throw_away(client.sock)
        client.sock.close()

    def _make_room(self, listener: socket.socket, error: OSError) -> bool:
        """After accepting has failed, return whether to try again at once; if not, the listener pauses for a while."""
        cure = "; raise LimitNOFILE of the daemon" if error.errno in _NO_DESCRIPTOR else ""
        self._complain("accept", f"cannot accept connections: {error.strerror}{cure}")
        if self._clients and cure:
            self._give_up_oldest()
            return True
        self._unregister(listener.fileno())
        self._loop.call_later(PAUSE_SECONDS, self._resume, listener)
        return False

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() in self._listeners:
            self._epoll.register(listener.fileno(), select.EPOLLIN)

    def _unregister(self, fd: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._epoll.unregister(fd)

    # Replies that have to be waited for.

    def _answer_later(self, sock: socket.SocketType, reply: Awaitable[bytes]) -> None:
        seconds: float | None = self._limits.answer_seconds
        tasks, most = self._tasks, self._limits.pending
        if isinstance(reply, Slow):
            reply, tasks, most, seconds = reply.reply, self._slow, self._limits.slow, None
        if len(tasks) >= most:
            asyncio.ensure_future(reply).cancel()
            self._send(sock, self._refuse(ProtocolError("overload", "too many queries at once")))
            return
        # The peer may have half-closed, and would then be reported as readable in every turn.
        self._unregister(sock.fileno())
        task = self._loop.create_task(self._finish(sock, reply, seconds))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _finish(self, sock: socket.SocketType, awaitable: Awaitable[bytes], seconds: float | None) -> None:
        """Wait for a reply and send it. seconds: for how long; None: for as long as it takes."""
        try:
            async with asyncio.timeout(seconds):
                reply = await awaitable
        except asyncio.CancelledError:
            self._send(sock, self._refuse(ProtocolError("stopping", "the daemon is stopping")))
            raise
        except TimeoutError:
            reply = self._refuse(ProtocolError("late", "the answer was not found in time"))
        except Exception:
            reply = self._failed()
        self._send(sock, reply)

    def _failed(self) -> bytes:
        """Log the current exception, and return the reply to its query."""
        self._complain("internal", "a query could not be answered; this is a bug", exc_info=True)
        return self._refuse(ProtocolError("internal", "internal error"))

    def _complain(self, kind: str, text: str, *, exc_info: bool = False) -> None:
        self._complaints.error(kind, text, exc_info)

    async def _drain(self) -> None:
        for listener in self._listeners.values():
            listener.withdraw()
            # Accept all that are connected already. Where systemd keeps the socket open, a backlog's worth is enough.
            bursts = range(BACKLOG // ACCEPTS_PER_TURN + 1)
            all(self._accept(listener.socket) for _ in bursts)
        for fd, listener in self._listeners.items():
            self._unregister(fd)
            listener.close()
        self._listeners = {}
        await self._wait_while(lambda: bool(self._clients or self._tasks), self._limits.query_seconds)
        await self._wait_while(lambda: bool(self._slow), self._limits.slow_stop_seconds)
        if self._slow:
            log.error(
                "stopping while %d messages are being archived: they may be kept without a record", len(self._slow)
            )
        for fd, client in list(self._clients.items()):
            self._give_up(fd, client, ProtocolError("stopping", "the daemon is stopping"))
        for task in (*self._tasks, *self._slow):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._slow, return_exceptions=True)
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    async def _wait_while(self, busy: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while busy() and time.monotonic() < until:
            await asyncio.sleep(DRAIN_STEP_SECONDS)


def _throw_away(sock: socket.SocketType) -> None:
    """Read what the peer has sent meanwhile, within bounds: closing with unread bytes would reset the connection."""
    for _ in range(DRAIN_BYTES // RECV_BYTES):
        try:
            if not sock.recv(RECV_BYTES, socket.MSG_DONTWAIT):
                return
        except OSError:
            return
