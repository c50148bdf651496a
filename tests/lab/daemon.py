"""The real eximacl daemon, as a process that listens once `Daemon` returns, and has ended once it is closed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from tests.lab.namespace import Missing

START_SECONDS = 10.0
POLL_SECONDS = 0.005
STOP_SECONDS = 10.0


class Daemon:
    """`eximacl serve --config CONFIG`, listening on `path`. Its output goes to `output`.

    rights: further options of setpriv, to take rights away. It ends with the thread that
    started it, even where that is killed.
    """

    def __init__(self, config: Path, path: Path, output: Path, rights: tuple[str, ...] = ()) -> None:
        self.config = config
        self.path = path
        self.output = output
        self.rights = rights
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it listens. Raises Missing with its own words where it does not."""
        command = [sys.executable, "-m", "eximacl", "serve", "--config", str(self.config)]
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self.rights, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
            )
        deadline = time.monotonic() + START_SECONDS
        while not listens(self.path):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Missing(f"the daemon did not start with {self.config}:\n{self.output.read_text()}")
            time.sleep(POLL_SECONDS)

    def ensure(self) -> None:
        """Bring it back, whatever was done to it."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
        else:
            self.start()

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its threads so far (proc(5), `schedstat`)."""
        assert self._process
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it as a crash would, and wait until it is gone."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def close(self) -> int:
        """Stop it in order, and return its exit status. Calling it twice is harmless."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self._process.returncode

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, Exception):
            error.add_note(f"---- the daemon's output\n{self.output.read_text()}")
        self.close()


def listens(path: Path) -> bool:
    """Whether something accepts connections on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)):
            return False
        probe.sendall(b"control v=1 do=ping\n")  # a connection without a line would count as an error
        return True
