"""`python -m bench.accept`: what accepting a connection costs, with `socket.accept` and as the server does it."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

# As many as fit into a listener's queue and under the usual limit of open files.
CONNECTIONS = 400
ROUNDS = 25


def documented(listener: socket.socket) -> None:
    """Accept and close with the documented method."""
    client, _ = listener.accept()
    client.close()


def private(listener: socket.socket) -> None:
    """Accept and close as `eximacl.daemon.server` does."""
    fd, _ = listener._accept()  # type: ignore[attr-defined]  # what is measured here
    socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM, 0, fd).close()


def measure() -> Iterator[str]:
    """Yield the lines of the table: the CPU of this process a connection, the best of some rounds."""
    for accept in (documented, private):
        best = min(_round(accept) for _ in range(ROUNDS))
        yield f"{accept.__name__:10}{best * 1e6:6.1f} µs"


def _round(accept: Callable[[socket.socket], None]) -> float:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        path = str(Path(name) / "s")
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen(CONNECTIONS)
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
        began = time.process_time()
        for _ in range(CONNECTIONS):
            accept(listener)
        return (time.process_time() - began) / CONNECTIONS


if __name__ == "__main__":
    print("\n".join(measure()))
