"""The client against a real socket: a good answer, and every way that a daemon can fail it."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.daemon.state_requests import daemon_source
from eximacl.protocol import client as asking
from eximacl.protocol.client import DaemonError, NoDaemon, RequestRefused, ask, ask_control
from eximacl.protocol.exim import Reply, format_reply
from tests.state.forks import Child


def serve_once(path: Path, answer: Callable[[socket.socket], object]) -> threading.Thread:
    """Listen on `path` and let `answer` handle one connection."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def run() -> None:
        with listener, listener.accept()[0] as client:
            answer(client)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_sends_the_line_half_closes_and_reads_to_the_end(tmp_path: Path) -> None:
    seen = []

    def answer(client: socket.socket) -> None:
        while chunk := client.recv(10):
            seen.append(chunk)
        reply = format_reply(Reply("accept", 250, ref="7KQ2M9D4"))
        client.sendall(reply[:10])
        client.sendall(reply[10:])

    thread = serve_once(tmp_path / "s", answer)
    reply = ask(tmp_path / "s", b"connect v=1 ip=192.0.2.7\n")
    thread.join()
    assert b"".join(seen) == b"connect v=1 ip=192.0.2.7\n"
    assert (reply.verdict, reply.ref) == ("accept", "7KQ2M9D4")


def answers(path: Path, reply: bytes) -> threading.Thread:
    """Listen on `path` and answer one query with these bytes."""

    def answer(client: socket.socket) -> None:
        client.recv(999)
        client.sendall(reply)

    return serve_once(path, answer)


def trickle(client: socket.socket) -> None:
    """Send again and again, always soon enough for one wait, until the asker has gone."""
    with contextlib.suppress(OSError):
        while client.send(b"v"):
            select.select([], [], [], 0.05)


def flood(client: socket.socket) -> None:
    """Send without an end."""
    with contextlib.suppress(OSError):
        while client.send(b"v" * 65536):
            pass


def test_an_answer_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "REPLY_BYTES_MAX", 200_000)
    thread = serve_once(tmp_path / "s", flood)
    with pytest.raises(DaemonError, match="its answer has no end"):
        ask(tmp_path / "s", b"x\n", timeout=60)
    thread.join()


def test_a_long_answer(tmp_path: Path) -> None:
    """A thousand problems of a policy."""
    answer = "x" * 1_000_000
    reply = format_reply(Reply("ok", extra={"answer": answer}))
    thread = answers(tmp_path / "s", reply)
    assert ask(tmp_path / "s", b"x\n").extra["answer"] == answer
    thread.join()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(lambda client: client.recv(9), "without an answer", id="closes"),
        pytest.param(
            lambda client: client.recv(9) and client.sendall(b"220 mail ESMTP\r\n"), "is not eximacl", id="garbage"
        ),
        pytest.param(
            lambda client: client.recv(9) and client.sendall(b"verdict=accept\n"), "is not eximacl", id="half a reply"
        ),
        pytest.param(
            lambda client: client.recv(9) and client.sendall(format_reply(Reply("perhaps"))),
            "another version",
            id="verdict",
        ),
        pytest.param(lambda _: None, "reset by peer|Broken pipe", id="resets"),
        pytest.param(
            lambda client: client.recv(1) and client.recv(9999),
            "no answer within 0.2 s: the daemon hangs or fails to start; see its log",
            id="hangs",
        ),
        pytest.param(lambda client: trickle(client), "no answer within 0.2 s", id="a byte now and then"),
    ],
)
def test_bad_answers(tmp_path: Path, answer: Callable[[socket.socket], None], words: str) -> None:
    hold = threading.Event()

    def run(client: socket.socket) -> None:
        answer(client)
        if words.startswith("no answer"):
            hold.wait(10)

    thread = serve_once(tmp_path / "s", run)
    with pytest.raises(DaemonError, match=words):
        ask(tmp_path / "s", b"x\n", timeout=0.2)
    hold.set()
    thread.join()


@pytest.mark.parametrize(
    ("extra", "expected"), [({}, None), ({"answer": "[1, null]"}, [1, None]), ({"answer": '"\\udcff"'}, "\udcff")]
)
def test_a_control_request(tmp_path: Path, extra: dict[str, str], expected: object) -> None:
    seen = []

    def answer(client: socket.socket) -> None:
        seen.append(client.recv(999))
        client.sendall(format_reply(Reply("ok", extra=extra)))

    thread = serve_once(tmp_path / "s", answer)
    assert ask_control(tmp_path / "s", "block", {"key": "a b"}) == expected
    thread.join()
    assert seen == [b'control v=1 do=block key="a b"\n']


def test_a_control_request_that_is_refused(tmp_path: Path) -> None:
    thread = answers(tmp_path / "s", format_reply(Reply("error", reason="state", message="the disk is full")))
    with pytest.raises(RequestRefused, match="the daemon refused: the disk is full") as error:
        ask_control(tmp_path / "s", "block", {})
    assert error.value.reason == "state"
    thread.join()


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_a_control_answer_that_is_not_json(tmp_path: Path, text: str) -> None:
    thread = answers(tmp_path / "s", format_reply(Reply("ok", extra={"answer": text})))
    with pytest.raises(DaemonError, match="the answer cannot be read"):
        ask_control(tmp_path / "s", "status", {})
    thread.join()


def test_no_socket(tmp_path: Path) -> None:
    with pytest.raises(NoDaemon, match=r"does not exist: is the daemon running, and is --socket right\?$"):
        ask(tmp_path / "s", b"x\n")


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "s"))
    with pytest.raises(NoDaemon, match="no program listens there"):
        ask(tmp_path / "s", b"x\n")


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(DaemonError, match="too long"):
        ask(tmp_path / ("s" * 200), b"x\n")


def test_permission_denied(tmp_path: Path) -> None:
    """Root may do everything, so a child that gave root away asks."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0)
        with Child(lambda _: _refused_as_nobody(path)) as child:
            assert child.wait() == 0


def _refused_as_nobody(path: Path) -> None:
    os.chdir(path.parent)
    if os.getuid() == 0:
        os.setgroups([])
        os.setuid(65534)
    path = Path(path.name)
    members, owners = "root or as a member of the socket's group", "root or as the daemon's own user"
    for asked, who in (
        (lambda: ask(path, b"x\n"), members),
        (lambda: ask_control(path, "status", {}), members),
        (lambda: ask_control(path, "reload", {}), owners),
        (lambda: daemon_source(path), owners),
    ):
        with pytest.raises(DaemonError, match=f"permission denied: run as {who}$"):
            asked()
