"""The daemon restarts under a socket that somebody else holds, as systemd does, and no query is lost.

The stand-in for systemd holds the listening socket, passes it on (sd_listen_fds(3)) and waits for READY=1
(sd_notify(3)); the daemons are real processes.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.daemon.sockets import BACKLOG
from eximacl.protocol.client import DaemonError, ask
from eximacl.protocol.exim import format_query
from eximacl.system.systemd import FIRST_INHERITED_FD

RESTARTS = 20
CLIENTS = 4
# A daemon that takes longer is hung; what Exim gives a query (EXIMACL_TIMEOUT) is the clients' own limit.
READY_SECONDS = 20.0
# Only the process itself knows its id, so it sets LISTEN_PID and goes on as the daemon.
START = f"exec {FIRST_INHERITED_FD}<&0 </dev/null; LISTEN_PID=$$ exec " + '"$@"'
POLICY = """\
[state]
url = "sqlite:state.db"
[log]
rejections = "rejections.jsonl"
[journal]
dir = "journal"
[policy]
domains = ["example.org"]
[checks.valid_recipient]
recipients = ["steve"]
"""
ASKED = {"tx": "mx-1-1", "ip": "192.0.2.7", "from": "ann@example.net", "rcpt": "ghost@example.org"}
QUESTION = format_query("rcpt", ASKED)


class Manager:
    """What systemd does for a service with a socket."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "s"
        self.config = directory / "eximacl.toml"
        self.config.write_text(POLICY)
        self._output = directory / "log"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self.path))
        self._socket.listen(BACKLOG)
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.bind(str(directory / "notify"))
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._listen, name="manager", daemon=True)
        self._thread.start()
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("COV")},
            "LISTEN_FDS": "1",
            "LISTEN_FDNAMES": "eximacl",
            "NOTIFY_SOCKET": str(directory / "notify"),
            "WATCHDOG_USEC": "200000",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon, and wait until it says that it is ready."""
        command = [sys.executable, "-m", "eximacl", "serve", "--config", str(self.config)]
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(
                ["sh", "-c", START, "sh", *command],
                stdin=self._socket.fileno(),
                stdout=output,
                stderr=output,
                env=self._environ,
            )
        self.wait_for("READY=1")

    def wait_for(self, word: str) -> None:
        """Wait until the daemon tells `word`."""
        deadline = time.monotonic() + READY_SECONDS
        seen: list[str] = []
        with contextlib.suppress(queue.Empty):
            while word not in seen:
                seen.append(self._lines.get(timeout=max(0, deadline - time.monotonic())))
        assert word in seen, f"no {word} from the daemon, but {set(seen)}:\n{self._output.read_text()}"

    def _listen(self) -> None:
        """Take what the daemon tells: only a few datagrams may wait, and its watchdog's come all the time."""
        while lines := self._told.recv(4096).decode().splitlines():
            for line in lines:
                self._lines.put(line)

    def stop(self) -> int:
        """Stop it as `systemctl stop` does; return its exit status."""
        assert self.process
        self.process.terminate()
        return self.process.wait(READY_SECONDS)

    def close(self) -> None:
        """Let go of the socket, and end what still runs."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._socket.close()
        self._told.shutdown(socket.SHUT_RD)
        self._thread.join()
        self._told.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """One that has started nothing yet."""
    held = Manager(tmp_path)
    yield held
    held.close()


class Clients:
    """Ask again and again, several at once, as Exim's processes do."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self.verdicts: list[str] = []
        self.errors: list[str] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.verdicts.append(ask(self._path, QUESTION).verdict)
            except DaemonError as error:
                self.errors.append(str(error))

    def close(self) -> None:
        """Stop asking; the last questions have been answered then."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.quiet
def test_twenty_restarts_and_no_query_is_lost(manager: Manager) -> None:
    manager.start()
    clients = Clients(manager.path)
    try:
        for _ in range(RESTARTS):
            manager.wait_for("WATCHDOG=1")
            assert manager.stop() == 0
            manager.start()
    finally:
        clients.close()
    assert (clients.errors, set(clients.verdicts)) == ([], {"reject"})
    assert len(clients.verdicts) >= RESTARTS * CLIENTS
    assert manager.path.exists(), "the socket is not the daemon's to delete"


def test_a_query_waits_for_a_daemon_that_is_not_started_yet(manager: Manager) -> None:
    clients = Clients(manager.path)
    manager.start()
    manager.wait_for("WATCHDOG=1")
    clients.close()
    assert (clients.errors, set(clients.verdicts)) == ([], {"reject"})
    assert len(clients.verdicts) >= CLIENTS


def test_a_killed_daemon_loses_only_what_it_had_in_its_hands(manager: Manager) -> None:
    manager.start()
    assert manager.process
    manager.process.kill()
    manager.process.wait()
    clients = Clients(manager.path)
    manager.start()
    manager.wait_for("WATCHDOG=1")
    clients.close()
    assert (clients.errors, set(clients.verdicts)) == ([], {"reject"})
    assert len(clients.verdicts) >= CLIENTS


def test_it_tells_when_it_stops_and_when_it_has_reloaded(manager: Manager) -> None:
    manager.start()
    command = [
        sys.executable,
        "-m",
        "eximacl",
        "reload",
        "--config",
        str(manager.config),
        "--socket",
        str(manager.path),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == "The new policy is in force."
    manager.wait_for("STATUS=reloaded")
    manager.config.write_text("[policy]\n")
    assert subprocess.run(command, check=False, capture_output=True).returncode != 0
    manager.wait_for("STATUS=the new policy has errors, so the daemon keeps the current one")
    assert manager.stop() == 0
    manager.wait_for("STOPPING=1")
