"""Real Unix sockets against a Server in the same event loop. Time passes only where a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import select
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from eximacl.daemon import server as server_module
from eximacl.daemon.limits import Limits, Slow
from eximacl.daemon.server import ACCEPTS_PER_TURN, RECV_BYTES, ControlHandle, Server
from eximacl.daemon.sockets import Listener, allow_descriptors, open_socket
from eximacl.protocol.exim import MAX_LINE_BYTES, ProtocolError, Reply, format_reply

# Far more turns of the loop than anything here needs; a test that needs more has failed.
MAX_TURNS = 100_000
PATIENCE_SECONDS = 20.0

Start = Callable[..., Server]


def echo(line: bytes) -> bytes:
    return b"<" + line + b">\n"


def refuse(error: ProtocolError) -> bytes:
    return format_reply(Reply("error", reason=error.reason, message=str(error)))


def refused(reply: bytes) -> str:
    """The reason of an error reply."""
    assert reply.startswith(b"verdict=error "), reply
    return reply.split(b"reason=")[1].split()[0].decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
async def start(path: Path) -> AsyncIterator[Start]:
    """Starts a server at `path`; it is closed at the end of the test."""
    servers: list[Server] = []

    def begin(
        handle: Callable[[bytes], bytes | Awaitable[bytes]] = echo,
        control: ControlHandle | None = None,
        **limits: float,
    ) -> Server:
        server = Server([open_socket(path)], handle, refuse, control, Limits(**limits))  # type: ignore[arg-type]
        server.start()
        servers.append(server)
        return server

    yield begin
    for server in servers:
        await server.close()


def accepted(path: Path) -> int:
    """Return the descriptor of the one connection that the server at `path` has accepted.

    It has a name below the test's own directory, and does not listen: other tests of this process may have left some.
    """
    found = []
    for fd in (int(one.name) for one in Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as sock:
            if (
                sock.family == socket.AF_UNIX
                and str(sock.getsockname()).startswith(f"{path.parent}/")
                and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            ):
                found.append(fd)
    (one,) = found
    return one


def connect(path: Path, data: bytes = b"") -> socket.socket:
    """Connect and send; neither needs the server to have a turn."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    client.setblocking(False)
    if data:
        assert client.send(data) == len(data)
    return client


async def read(client: socket.socket) -> bytes:
    """Read to the end of file, and close."""
    loop = asyncio.get_running_loop()
    found = b""
    with client:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while chunk := await loop.sock_recv(client, 1 << 20):
                found += chunk
    return found


async def ask(path: Path, data: bytes) -> bytes:
    return await read(connect(path, data))


async def until(condition: Callable[[], bool]) -> None:
    """Give the event loop turns until the condition holds."""
    for _ in range(MAX_TURNS):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


# Framing.


@pytest.mark.parametrize(
    ("chunks", "line"),
    [
        ([b"rcpt v=1\n"], b"rcpt v=1"),
        ([b"rcpt v=1", b"\n"], b"rcpt v=1"),
        ([b"", b"rcpt v=1\n"], b"rcpt v=1"),
        ([b"r", b"c", b"p", b"t", b"\n"], b"rcpt"),
        ([b"one\ntwo\n"], b"one"),
        ([b"one", b" more\ntwo\n"], b"one more"),
        ([b"\n"], b""),
        ([b"data " + b"h" * 1000] * 1 + [b"x" * 60_000] * 20 + [b"\n"], b"data " + b"h" * 1000 + b"x" * 1_200_000),
    ],
    ids=["whole", "newline later", "connects first", "byte by byte", "more lines", "more lines later", "empty", "1 MB"],
)
async def test_a_newline_ends_the_query(start: Start, path: Path, chunks: list[bytes], line: bytes) -> None:
    start()
    client = connect(path)
    for chunk in chunks:
        await asyncio.get_running_loop().sock_sendall(client, chunk)
        for _ in range(3):
            await asyncio.sleep(0)
    assert await read(client) == b"<" + line + b">\n"


@pytest.mark.parametrize("chunks", [[b"rcpt v=1"], [b"rcpt", b" v=1"]])
async def test_the_end_of_file_ends_the_query(start: Start, path: Path, chunks: list[bytes]) -> None:
    start()
    client = connect(path)
    for chunk in chunks:
        client.send(chunk)
        await asyncio.sleep(0)
    client.shutdown(socket.SHUT_WR)
    assert await read(client) == b"<rcpt v=1>\n"


async def test_no_query_at_all_is_refused(start: Start, path: Path) -> None:
    start()
    client = connect(path)
    client.shutdown(socket.SHUT_WR)
    assert refused(await read(client)) == "empty"


@pytest.mark.parametrize("extra", [1, RECV_BYTES, 100_000])
async def test_a_line_too_long_is_refused_and_the_refusal_arrives(start: Start, path: Path, extra: int) -> None:
    start()
    client = connect(path)
    await asyncio.get_running_loop().sock_sendall(client, b"r" * (MAX_LINE_BYTES + extra))
    assert refused(await read(client)) == "line-too-long"


async def test_who_never_stops_sending_is_not_read_for_ever(
    start: Start, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eximacl.daemon.server.DRAIN_BYTES", 0)
    start()
    client = connect(path)
    with contextlib.suppress(ConnectionError):
        await asyncio.get_running_loop().sock_sendall(client, b"r" * 2_000_000)
    with contextlib.suppress(ConnectionError):
        assert refused(await read(client)) == "line-too-long"
    client.close()
    assert await ask(path, b"next\n") == b"<next>\n"


async def test_a_burst_is_answered_whole(start: Start, path: Path) -> None:
    start()
    clients = [connect(path, b"%d\n" % number) for number in range(3 * ACCEPTS_PER_TURN)]
    assert [await read(client) for client in clients] == [b"<%d>\n" % number for number in range(len(clients))]


# Handlers.


async def test_an_exception_is_logged_and_answered(start: Start, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def handle(line: bytes) -> bytes:
        if line == b"bad":
            raise ZeroDivisionError("a bug")
        return echo(line)

    start(handle)
    assert refused(await ask(path, b"bad\n")) == "internal"
    assert refused(await ask(path, b"bad\n")) == "internal"
    assert await ask(path, b"good\n") == b"<good>\n"
    assert caplog.text.count("ZeroDivisionError: a bug") == 1


async def test_what_must_be_waited_for_holds_up_nobody(start: Start, path: Path) -> None:
    gate = asyncio.Event()

    async def later(line: bytes) -> bytes:
        await gate.wait()
        return echo(line)

    server = start(lambda line: later(line) if line == b"slow" else echo(line))
    slow = connect(path, b"slow\n")
    slow.shutdown(socket.SHUT_WR)
    slow_too = connect(path)
    await until(lambda: server.waiting == 1)
    slow_too.send(b"slow\n")
    await until(lambda: server.pending == 2)
    assert await ask(path, b"quick\n") == b"<quick>\n"
    gate.set()
    assert await read(slow) == await read(slow_too) == b"<slow>\n"
    await until(lambda: server.pending == 0)


async def test_an_awaited_exception_is_logged_and_answered(
    start: Start, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(line: bytes) -> bytes:
        raise ZeroDivisionError("a bug")

    start(fails)
    assert refused(await ask(path, b"x\n")) == "internal"
    assert "ZeroDivisionError: a bug" in caplog.text


async def test_a_reply_that_never_comes_is_given_up(start: Start, path: Path) -> None:
    async def never(line: bytes) -> bytes:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    server = start(never, answer_seconds=0)
    assert refused(await ask(path, b"x\n")) == "late"
    await until(lambda: server.pending == 0)


async def test_a_slow_reply_has_no_time_limit_and_ends_without_its_client(start: Start, path: Path) -> None:
    gate, ended = asyncio.Event(), asyncio.Event()

    async def later(line: bytes) -> bytes:
        await gate.wait()
        ended.set()
        return echo(line)

    server = start(lambda line: Slow(later(line)), answer_seconds=0)
    gone = connect(path, b"gone\n")
    await until(lambda: server.pending == 1)
    gone.close()
    waits = connect(path, b"waits\n")
    await until(lambda: server.pending == 2)
    gate.set()
    assert await read(waits) == b"<waits>\n"
    await until(lambda: server.pending == 0)
    assert ended.is_set()


async def test_too_many_slow_replies_are_refused(start: Start, path: Path) -> None:
    """They are no obstacle for others."""
    gate = asyncio.Event()

    async def later(line: bytes) -> bytes:
        await gate.wait()
        return echo(line)

    server = start(lambda line: Slow(later(line)) if line.startswith(b"slow") else later(line), slow=1)
    first = connect(path, b"slow\n")
    await until(lambda: server.pending == 1)
    assert refused(await ask(path, b"slow too\n")) == "overload"
    other = connect(path, b"other\n")
    await until(lambda: server.pending == 2)
    gate.set()
    assert await read(first) == b"<slow>\n"
    assert await read(other) == b"<other>\n"


@pytest.mark.parametrize("ends", [True, False])
async def test_a_stop_waits_for_slow_replies_but_not_for_ever(
    start: Start, path: Path, ends: bool, caplog: pytest.LogCaptureFixture
) -> None:
    gate = asyncio.Event()

    async def later(line: bytes) -> bytes:
        await gate.wait()
        return echo(line)

    server = start(lambda line: Slow(later(line)), query_seconds=0, slow_stop_seconds=PATIENCE_SECONDS if ends else 0)
    slow = connect(path, b"slow\n")
    await until(lambda: server.pending == 1)
    stopping = asyncio.create_task(server.close())
    if ends:
        gate.set()
    await stopping
    reply = await read(slow)
    assert (reply if ends else refused(reply)) == (b"<slow>\n" if ends else "stopping")
    assert ("without a record" in caplog.text) == (not ends)


async def test_too_many_to_wait_for_are_refused(start: Start, path: Path) -> None:
    gate = asyncio.Event()

    async def later(line: bytes) -> bytes:
        await gate.wait()
        return echo(line)

    server = start(later, pending=1)
    first = connect(path, b"first\n")
    await until(lambda: server.pending == 1)
    assert refused(await ask(path, b"second\n")) == "overload"
    gate.set()
    assert await read(first) == b"<first>\n"


async def test_a_peer_that_has_gone_is_no_error(start: Start, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gate = asyncio.Event()

    async def later(line: bytes) -> bytes:
        await gate.wait()
        return b"x" * 1_000_000

    server = start(lambda line: later(line) if line == b"slow" else echo(line))
    connect(path, b"quick\n").close()
    connect(path).close()
    connect(path, b"half").close()
    connect(path, b"slow\n").close()
    rude = connect(path, b"quick\n")
    rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    rude.close()
    await until(lambda: server.pending == 1)
    gate.set()
    await until(lambda: server.pending == server.waiting == 0)
    assert await ask(path, b"still here\n") == b"<still here>\n"
    assert caplog.text == ""


async def test_a_peer_that_resets_while_it_waits_is_forgotten(start: Start, path: Path) -> None:
    """Closing on an unread reply resets the connection, here while the rest of the reply waits."""
    server = start(lambda _line: b"x" * 1_000_000)
    client = connect(path, b"big\n")
    await until(lambda: server.waiting == 1)
    client.close()
    await until(lambda: server.waiting == 0)


async def test_a_reply_larger_than_the_socket_buffer_arrives(start: Start, path: Path) -> None:
    big = os.urandom(3_000_000)
    server = start(lambda _line: big)
    client = connect(path, b"big\n")
    await until(lambda: server.waiting == 1)
    server.turn([(accepted(path), select.EPOLLOUT)])
    late = connect(path)
    await until(lambda: server.waiting == 2)
    late.send(b"big\n")
    assert await read(client) == big
    assert await read(late) == big


async def test_control_requests_come_with_the_peer_s_user_id(start: Start, path: Path) -> None:
    start(control=lambda line, uid: b"%s from %d\n" % (line, uid))
    assert await ask(path, b"control v=1 do=status\n") == b"control v=1 do=status from %d\n" % os.getuid()
    assert await ask(path, b"controller v=1\n") == b"<controller v=1>\n"


async def test_without_a_control_handler_a_control_line_is_a_line(start: Start, path: Path) -> None:
    start()
    assert await ask(path, b"control x\n") == b"<control x>\n"


# Limits.


async def test_a_query_that_is_late_is_refused(start: Start, path: Path) -> None:
    server = start(query_seconds=5)
    begun = time.monotonic()
    clients = [connect(path, b"half"), connect(path)]
    await until(lambda: server.waiting == 2)
    server.sweep(begun + 4.9)
    assert server.waiting == 2
    server.sweep(time.monotonic() + 5)
    assert server.waiting == 0
    assert [refused(await read(client)) for client in clients] == ["late", "late"]


async def test_the_timer_sweeps_while_anyone_waits(start: Start, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eximacl.daemon.server.SWEEP_SECONDS", 0.0)
    server = start(query_seconds=3600)
    sweeps: list[float] = []
    monkeypatch.setattr(server, "sweep", sweeps.append)
    client = connect(path, b"half")
    await until(lambda: len(sweeps) == 3)
    client.send(b"\n")
    assert await read(client) == b"<half>\n"
    await until(lambda: server.waiting == 0)
    monkeypatch.undo()


async def test_a_reply_that_is_not_taken_is_given_up(start: Start, path: Path) -> None:
    server = start(lambda _line: b"x" * 1_000_000)
    client = connect(path, b"big\n")
    await until(lambda: server.waiting == 1)
    server.sweep(time.monotonic() + 60)
    assert server.waiting == 0
    with contextlib.suppress(ConnectionResetError):
        assert len(await read(client)) < 1_000_000


async def test_beyond_the_limit_the_oldest_half_query_makes_room(start: Start, path: Path) -> None:
    server = start(waiting=2)
    clients = [connect(path, b"%d" % number) for number in range(4)]
    assert [refused(await read(client)) for client in clients[:2]] == ["overload"] * 2
    assert server.waiting == 2
    assert await ask(path, b"whole\n") == b"<whole>\n"
    for client in clients[2:]:
        client.send(b"\n")
    assert [await read(client) for client in clients[2:]] == [b"<2>\n", b"<3>\n"]


async def test_beyond_the_limit_of_bytes_the_oldest_half_query_makes_room(start: Start, path: Path) -> None:
    server = start(waiting_bytes=100)
    clients = [connect(path, b"x" * 60)]
    await until(lambda: server.waiting == 1)
    clients.append(connect(path, b"y" * 60))
    assert refused(await read(clients[0])) == "overload"
    clients[1].send(b"\n")
    assert await read(clients[1]) == b"<" + b"y" * 60 + b">\n"
    third = connect(path, b"z" * 90)
    await until(lambda: server.waiting == 1)
    third.send(b"\n")
    assert await read(third) == b"<" + b"z" * 90 + b">\n"


@contextlib.contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Until the end of the block, this process cannot open another file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_a_descriptor_the_backlog_waits_and_nothing_spins(
    start: Start, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start()
    client = connect(path, b"x\n")
    with no_more_descriptors():
        await until(lambda: "raise LimitNOFILE" in caplog.text)
        for _ in range(100):
            await asyncio.sleep(0)
        assert caplog.text.count("LimitNOFILE") == 1
    assert await read(client) == b"<x>\n"


async def test_without_a_descriptor_the_oldest_half_query_makes_room(start: Start, path: Path) -> None:
    server = start()
    half = connect(path, b"half")
    await until(lambda: server.waiting == 1)
    whole = [connect(path, b"%d\n" % number) for number in range(3)]
    with no_more_descriptors():
        assert [await read(client) for client in whole] == [b"<0>\n", b"<1>\n", b"<2>\n"]
    assert refused(await read(half)) == "overload"


async def test_a_listener_that_cannot_accept_is_told_of_and_nothing_spins(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deaf = socket.socket(socket.AF_UNIX)
    deaf.bind(str(path))
    listener = Listener(deaf, "does not listen")
    server = Server([listener], echo, refuse)
    server.start()
    await until(lambda: "cannot accept connections: Invalid argument" in caplog.text)
    for _ in range(100):
        await asyncio.sleep(0)
    assert caplog.text.count("cannot accept") == 1
    await server.close()
    server._resume(listener.socket)


async def test_an_event_without_bytes_changes_nothing(start: Start, path: Path) -> None:
    """An event may be about an earlier connection that had the same descriptor."""
    server = start()
    client = connect(path, b"half")
    await until(lambda: server.waiting == 1)
    server.turn([(accepted(path), select.EPOLLIN)])
    assert server.waiting == 1
    client.send(b"\n")
    assert await read(client) == b"<half>\n"


async def test_an_event_of_a_connection_that_has_just_made_room_is_ignored(start: Start, path: Path) -> None:
    server = start(waiting_bytes=100)
    older, newer = connect(path, b"x" * 40), connect(path, b"y" * 40)
    await until(lambda: server.waiting == 2)
    newer.send(b"y" * 40)
    older.send(b"\n")
    assert refused(await read(older)) == "overload"
    newer.send(b"\n")
    assert await read(newer) == b"<" + b"y" * 80 + b">\n"


async def test_a_connection_that_fails_is_forgotten(start: Start, path: Path) -> None:
    server = start()
    client = connect(path)
    await until(lambda: server.waiting == 1)
    fd = accepted(path)
    with Path(os.devnull).open() as no_socket:
        os.dup2(no_socket.fileno(), fd)
    server.turn([(fd, select.EPOLLIN)])
    assert server.waiting == 0
    client.close()


@pytest.mark.quiet
async def test_ten_thousand_half_sent_queries(start: Start, path: Path) -> None:
    """The others are answered meanwhile, and afterwards neither descriptors nor memory are missing."""
    many = 10_000
    assert allow_descriptors(many + 6000) >= many + 6000, "raise the hard limit of open files (ulimit -Hn) to 16000"
    server = start()
    assert await ask(path, b"first\n") == b"<first>\n"
    before = descriptors()
    clients = []
    tracemalloc.start()
    for number in range(many):
        clients.append(connect(path, b"rcpt v=1 half" if number % 2 else b""))
        if number % 100 == 0:
            assert await ask(path, b"%d\n" % number) == b"<%d>\n" % number
    await until(lambda: server.waiting == Limits().waiting)
    assert await ask(path, b"whole\n") == b"<whole>\n"
    in_use = descriptors() - before
    assert in_use == many + Limits().waiting
    for client in clients[many - Limits().waiting :]:
        client.send(b"\n")
    replies = [await read(client) for client in clients]
    clients.clear()
    assert {refused(reply) for reply in replies[: many - Limits().waiting]} == {"overload"}
    assert set(replies[many - Limits().waiting :]) == {b"<>\n", b"<rcpt v=1 half>\n"}
    assert descriptors() == before
    del replies
    gc.collect()
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 1_000_000
    assert peak < 40_000_000


# The end.


async def test_what_was_sent_before_the_end_is_answered(start: Start, path: Path) -> None:
    server = start()
    half = connect(path, b"half")
    await until(lambda: server.waiting == 1)
    clients = [connect(path, b"%d\n" % number) for number in range(2 * ACCEPTS_PER_TURN + 1)]
    closing = asyncio.create_task(server.close())
    assert [await read(client) for client in clients] == [b"<%d>\n" % number for number in range(len(clients))]
    assert not path.exists()
    half.send(b" and half\n")
    assert await read(half) == b"<half and half>\n"
    await closing


async def test_closing_twice_is_closing_once(start: Start, path: Path) -> None:
    server = start()
    await asyncio.gather(server.close(), server.close())
    await server.close()
    assert not path.exists()


async def test_half_queries_and_slow_replies_are_given_up_at_the_deadline(start: Start, path: Path) -> None:
    async def never(line: bytes) -> bytes:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    server = start(never, query_seconds=0)
    before = descriptors()
    half, slow = connect(path, b"half"), connect(path, b"slow\n")
    await until(lambda: server.waiting == server.pending == 1)
    await server.close()
    assert refused(await read(half)) == refused(await read(slow)) == "stopping"
    assert descriptors() < before


async def test_an_inherited_socket_serves_and_stays(path: Path) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    kept = sock.dup()
    server = Server([Listener(sock, "exim")], echo, refuse)
    server.start()
    assert await ask(path, b"one\n") == b"<one>\n"
    await server.close()
    waiting = connect(path, b"for the next daemon\n")
    kept.setblocking(False)
    kept.accept()[0].close()
    waiting.close()
    kept.close()


async def test_serves_several_sockets(tmp_path: Path) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    server = Server([open_socket(path) for path in paths], echo, refuse)
    server.start()
    assert [await ask(path, b"x\n") for path in paths] == [b"<x>\n"] * 2
    await server.close()
    assert not any(path.exists() for path in paths)


def test_logs_under_the_name_of_the_package() -> None:
    assert logging.getLogger("eximacl") is server_module.log
