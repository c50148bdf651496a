"""Building the C programs, starting servers, loading them. Rule: nothing outlives the `with` that started it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
START_SECONDS = 60.0
LOOK_SECONDS = 0.005
STOP_SECONDS = 30.0


class BenchError(Exception):
    """Something that is measured does not work; its figures would be worth nothing."""


@dataclass(frozen=True)
class Server:
    """A running server. start_seconds: from its start to the first connection it took."""

    name: str
    pid: int
    socket: Path
    start_seconds: float

    def cpu_us(self) -> float:
        """Return the CPU time of all its threads so far, in microseconds (schedstat, proc(5))."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000

    def memory_mb(self, field: str = "VmRSS") -> float:
        """Return the resident memory in MB: `VmRSS` now, `VmHWM` at its highest."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        raise BenchError(f"{self.name}: no {field}")


@dataclass(frozen=True)
class Load:
    """What one run of the load generator has found; latencies in microseconds."""

    rate: float
    cpu_us: float
    p50: int
    p99: int
    verdicts: dict[str, int]


def build(directory: Path) -> None:
    """Compile the C programs into `directory`."""
    for name in ("limit", "load"):
        command = ["gcc", "-O2", "-pthread", "-o", str(directory / name), str(HERE / f"{name}.c")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"gcc failed:\n{done.stderr}")


@contextlib.contextmanager
def running(name: str, command: Sequence[str | Path], path: Path) -> Iterator[Server]:
    """Start a server that listens at `path`, and stop it at the end."""
    begun = time.monotonic()
    with subprocess.Popen([str(word) for word in command], cwd=HERE.parent) as process:
        try:
            while not _listens(path):
                if process.poll() is not None or time.monotonic() > begun + START_SECONDS:
                    raise BenchError(f"{name} does not serve: {' '.join(map(str, command))}")
                time.sleep(LOOK_SECONDS)
            yield Server(name, process.pid, path, time.monotonic() - begun)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def daemon(config: Path) -> list[str | Path]:
    """Return the command that serves a configuration."""
    return [sys.executable, "-m", "eximacl", "serve", "--config", config]


def load(directory: Path, server: Server, queries: Path, options: str) -> Load:
    """Run the load generator. Raises BenchError where a query was not answered."""
    before = server.cpu_us()
    command = [directory / "load", server.socket, queries, *options.split()]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    cpu = server.cpu_us() - before
    found = dict(pair.split("=") for pair in done.stdout.split())
    bad = {word: int(found[word]) for word in ("empty", "failed", "error", "other") if int(found[word])}
    if bad:
        raise BenchError(f"{server.name}: not all queries were answered: {bad}")
    verdicts = {word: int(found[word]) for word in ("accept", "reject", "defer", "hold")}
    return Load(float(found["rate"]), cpu / int(found["queries"]), int(found["p50"]), int(found["p99"]), verdicts)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
