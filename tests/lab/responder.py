"""A scripted daemon: answers each query as a function says, and records what it was asked, in order."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeAlias

from eximacl.protocol.exim import Reply, format_reply, parse_line

# What a daemon may do other than to reply: close without a byte, reset the connection, say nothing until the end, or
# say nothing and listen no more, as one that is dying.
Fault: TypeAlias = Literal["close", "reset", "hang", "vanish"]
Action: TypeAlias = Reply | bytes | Fault
CHUNK_BYTES = 65536
# Exim notices a dropped connection at once; a machine under load may take a thousand times that.
WAIT_SECONDS = 10.0
LAST = b"\n"
# What ask_again.acl sends after a failure is not a query, and its reply is not read.
CONTROL = b"control "
ACCEPT = Reply("accept", 250, ref="TESTTEST")


@dataclass(frozen=True)
class Asked:
    """One query as it came."""

    stage: str
    values: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        return self.values[key]


class Responder:
    """A Unix-socket server that answers with `answer(asked)`; `answer` may be replaced while it runs."""

    def __init__(self, path: Path, answer: Callable[[Asked], Action] = lambda _: ACCEPT) -> None:
        self.path = path
        self.answer = answer
        self.asked: list[Asked] = []
        self._news = threading.Condition()
        self._hanging: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o666)
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._serve, name="scripted daemon", daemon=True)
        self._thread.start()

    def stages(self) -> list[str]:
        """Return the stages asked about so far, in order."""
        return [asked.stage for asked in self.asked]

    def wait(self, *stages: str) -> None:
        """Wait until exactly these stages have been asked about. Raises AssertionError when that does not come."""
        with self._news:
            met = self._news.wait_for(lambda: len(self.asked) >= len(stages), WAIT_SECONDS)
        assert met, f"asked {self.stages()}, expected {list(stages)}"
        assert self.stages() == list(stages)

    def close(self) -> None:
        """Stop, and remove the socket. Calling it twice is harmless."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()
        for client in self._hanging:
            client.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Responder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            line = _read_line(client)
            if line.startswith(CONTROL):
                self._act(client, b"verdict=ok\n")
            elif line:
                asked = Asked(*parse_line(line))
                with self._news:
                    self.asked.append(asked)
                    self._news.notify_all()
                self._act(client, self.answer(asked))
            else:
                client.close()

    def _act(self, client: socket.socket, action: Action) -> None:
        if action in ("hang", "vanish"):
            self._hanging.append(client)
            if action == "vanish":
                self._listener.shutdown(socket.SHUT_RDWR)
            return
        if action != "reset":
            client.recv(len(LAST))
        if isinstance(action, Reply):
            action = format_reply(action)
        if isinstance(action, bytes):
            with contextlib.suppress(OSError):  # Exim gives up on an endless reply
                client.sendall(action)
        client.close()


def _read_line(client: socket.socket) -> bytes:
    """Read a query but leave its newline in the socket: closing one with unread bytes is what resets it."""
    line = b""
    while True:
        seen = client.recv(CHUNK_BYTES, socket.MSG_PEEK)
        if not seen:
            return b""
        if seen.endswith(LAST):
            return line + client.recv(len(seen) - len(LAST)) + LAST
        line += client.recv(len(seen))
