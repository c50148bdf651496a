"""What systemd would receive: real datagrams on a real socket, at a path and in the abstract namespace."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.system.systemd import Notifier

MESSAGES: list[tuple[str, Callable[[Notifier], None], str]] = [
    ("ready", lambda n: n.ready("serving /run/x"), "READY=1\nSTATUS=serving /run/x"),
    ("a status stays one line", lambda n: n.status("two\nlines\r\nREADY=1"), "STATUS=two lines READY=1"),
    ("stopping", Notifier.stopping, "STOPPING=1"),
    ("watchdog", Notifier.watchdog, "WATCHDOG=1"),
    ("bytes that are no text", lambda n: n.status("a\udcffb"), "STATUS=a\\udcffb"),
]


@pytest.mark.parametrize("abstract", [False, True])
@pytest.mark.parametrize(("call", "expected"), [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES])
def test_sends_one_datagram(tmp_path: Path, abstract: bool, call: Callable[[Notifier], None], expected: str) -> None:
    name = f"@eximacl-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        manager.setblocking(False)
        call(Notifier({"NOTIFY_SOCKET": name}))
        assert manager.recv(4096).decode() == expected


def test_reloading_tells_the_monotonic_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        before = time.monotonic_ns() // 1000
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).reloading()
        first, second = manager.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    name, _, value = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= time.monotonic_ns() // 1000


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "/nonexistent/notify"])
def test_without_a_manager_nothing_happens(name: str) -> None:
    Notifier({"NOTIFY_SOCKET": name}).ready("serving")
    Notifier({}).watchdog()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "9" * 5000}, None),
        ({"WATCHDOG_USEC": "1"}, 0.02),
    ],
)
def test_watchdog_interval(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environ).watchdog_seconds == seconds
