"""An SMTP server that takes all mail; what it has taken, and how, can be read at once."""

from __future__ import annotations

import socketserver
import threading
from types import TracebackType
from typing import NamedTuple


class Taken(NamedTuple):
    """A message: the addresses in MAIL and RCPT without their angle brackets, and its text."""

    sender: str
    recipients: tuple[str, ...]
    text: str


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), _Session)
        self.taken: list[Taken] = []


class _Session(socketserver.StreamRequestHandler):
    """One connection."""

    server: _Server

    def handle(self) -> None:
        """Answer until QUIT."""
        self._say("220 sink.example.net")
        sender, recipients = "", list[str]()
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "MAIL":
                sender, recipients = _address(line), []
            elif verb == "RCPT":
                recipients.append(_address(line))
            elif verb == "DATA":
                self._say("354 go on")
                self.server.taken.append(Taken(sender, tuple(recipients), self._message()))
            self._say("221 bye" if verb == "QUIT" else "250 ok")
            if verb == "QUIT":
                return

    def _message(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode()) not in (".\r\n", ""):
            lines.append(line)
        return "".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Sink:
    """The server, on a free port of `host`, in threads. `taken` lists its messages."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._server = _Server(host)
        self.address: tuple[str, int] = (host, self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="sink", daemon=True)
        self._thread.start()

    @property
    def taken(self) -> list[Taken]:
        """What it has taken so far."""
        return self._server.taken

    def close(self) -> None:
        """Stop it. Calling it twice is harmless."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]
