"""An SMTP client that plays a written dialogue.

    C: EHLO mx.example.net
    S: 250
    C: MAIL FROM:<a@example.net>
    S: 250
    C: RCPT TO:<steve@example.org>
    S: 550 5.1.1 … not accepted

`C:` lines in a row are sent in one write (pipelining, or a message). `S:` takes the next reply: its code
must be the first word, and each text between `…` must follow in it, in that order. `X: name` calls what
the player gave under that name (stop the daemon, drop the line), `#` is a comment.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType

# Exim waits for the daemon at most EXIMACL_TIMEOUT, twice; a test's client is more patient than that.
REPLY_SECONDS = 20.0

_STATUS = re.compile(r"[245]\.\d+\.\d+ ")


class Mismatch(AssertionError):
    """The server did not say what the dialogue expects. The text is the dialogue so far."""


@dataclass(frozen=True)
class Line:
    """One line of a dialogue: who (`C`, `S`, `X`) and what."""

    who: str
    what: str


def parse_script(script: str) -> Iterator[Line]:
    """Parse a dialogue. Raises ValueError for a line that is none."""
    for line in script.splitlines():
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        who, colon, what = text.partition(":")
        if who not in ("C", "S", "X") or not colon:
            raise ValueError(f"a dialogue's line starts with C:, S:, X: or #, not {text!r}")
        yield Line(who, what.removeprefix(" "))


@dataclass
class Client:
    """One SMTP connection from `source`, which Exim sees as the client's address."""

    server: tuple[str, int]
    source: str = "127.0.0.2"
    transcript: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        family = socket.AF_INET6 if ":" in self.server[0] else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.settimeout(REPLY_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.bind((self.source, 0))
        self._socket.connect(self.server)
        self._file = self._socket.makefile("rb")

    def send(self, *lines: str) -> None:
        """Send lines in one write."""
        self.transcript += [f"C: {line}" for line in lines]
        self._socket.sendall("".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape"))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are: a message, perhaps a large one, or a part of one."""
        self.transcript.append(f"C: ({len(data)} bytes)")
        self._socket.sendall(data)

    def reply(self) -> str:
        """Read one reply: its code, and its lines joined with newlines. Empty when the server has hung up.

        An enhanced status code, which Exim repeats on each line it folds a long text into, stands only once.
        """
        texts: list[str] = []
        while True:
            line = self._file.readline().decode("utf-8", "surrogateescape").rstrip("\r\n")
            status = _STATUS.match(texts[0]) if texts else None
            texts.append(line[4:].removeprefix(status[0]) if status else line[4:])
            if line[3:4] != "-":
                break
        reply = f"{line[:3]} " + "\n".join(texts) if line else ""
        self.transcript.append(f"S: {reply}")
        return reply

    def ask(self, *lines: str) -> str:
        """Send lines and read one reply."""
        self.send(*lines)
        return self.reply()

    def play(self, script: str, calls: Mapping[str, Callable[[], object]] | None = None) -> None:
        """Play a dialogue. Raises Mismatch at the first reply that is not as written."""
        pending: list[str] = []
        for line in parse_script(script):
            if line.who == "C":
                pending.append(line.what)
                continue
            if pending:
                self.send(*pending)
                pending.clear()
            if line.who == "X":
                self.transcript.append(f"X: {line.what}")
                {"drop": self.close, **(calls or {})}[line.what]()
            elif not fits(self.reply(), line.what):
                raise Mismatch(f"expected {line.what!r}:\n" + "\n".join(self.transcript))
        if pending:
            self.send(*pending)

    def close(self) -> None:
        """Drop the connection."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def fits(reply: str, expected: str) -> bool:
    """Whether a reply is as a dialogue expects it."""
    parts = [re.escape(part.strip()) for part in expected.split("…")]
    return re.match(".*".join(parts), reply, re.DOTALL) is not None
