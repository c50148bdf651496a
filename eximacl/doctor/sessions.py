"""Talking to Exim as a client, with `exim4 -bh`, while a socket of ours takes the daemon's place.

Rule: Exim's own ACLs run, with all that they mean to the client; nothing is delivered (Exim specification, section
5.2, `-bh`), and the daemon hears nothing of it. A macro on the
command line, which root may give, leads Exim to our socket.
"""

from __future__ import annotations

import contextlib
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from eximacl.exim_setup import Exim
from eximacl.model import Reply
from eximacl.wire import format_reply

# Addresses for documentation (RFC 5737): no relay host, and nobody's.
CLIENT = "192.0.2.1"
HELO = "doctor.example.net"
# In every text of a made-up verdict, so that it is known again in Exim's reply.
TOKEN = "eximacl-doctor-test"
REF = "00000000"
# Exim writes as soon as it is connected; a machine under load may take a thousand times that.
READ_SECONDS = 5.0
READ_BYTES = 1 << 20
_REPLY = re.compile(r"(?m)^(\d{3}) (.*)$")

Answer = Callable[[str, int], Reply | None]


@dataclass(frozen=True)
class Session:
    """What came of one. replies: Exim's last line of each, the greeting first. queries: the lines that it asked."""

    replies: tuple[str, ...]
    queries: tuple[bytes, ...]
    log: str
    ended: bool

    def asked(self, stage: str) -> bytes | None:
        """Return the first query of a stage."""
        return next((line for line in self.queries if line.startswith(stage.encode() + b" ")), None)

    def reply(self, number: int) -> str:
        """Return a reply by its number; empty where it did not come to that."""
        return self.replies[number] if number < len(self.replies) else ""

    def said(self, code: int) -> bool:
        """Whether a reply with this code carries our own verdict's text."""
        return any(line.startswith(str(code)) and TOKEN in line for line in self.replies)


def verdict(word: str, want: str = "") -> Reply:
    """Make up a verdict."""
    code, status = {"accept": (250, ""), "reject": (550, "5.7.1 "), "defer": (451, "4.7.1 ")}[word]
    text = "" if word == "accept" else f"{status}{TOKEN}"
    return Reply(word, code, "doctor" if text else "", REF, want, text, f"eximacl: {TOKEN}" if text else "")


@dataclass(frozen=True)
class Sessions:
    """The sessions that the diagnoses need, each held once. early: Exim asks at connect, HELO and MAIL, too."""

    exim: Exim
    recipient: str
    early: bool

    @cached_property
    def recipients(self) -> Session:
        """Three recipients: accepted (and a place kept), rejected, deferred; then QUIT."""
        words = {1: verdict("accept", "data end"), 2: verdict("reject"), 3: verdict("defer")}
        rcpt = f"RCPT TO:<{self.recipient}>"
        return self.hold(lambda stage, number: words[min(number, 3)] if stage == "rcpt" else verdict("accept"),
                         ("MAIL FROM:<>", rcpt, rcpt, rcpt))  # fmt: skip

    @cached_property
    def message(self) -> Session:
        """A message that is rejected at DATA."""
        lines = ("MAIL FROM:<>", f"RCPT TO:<{self.recipient}>", "DATA", f"Subject: {TOKEN}", "", "text", ".")
        return self.hold(lambda stage, _: verdict("reject") if stage == "data" else verdict("accept", "data"), lines)

    @cached_property
    def alone(self) -> Session:
        """The first recipient again, with nobody at the socket."""
        return self.hold(None, ("MAIL FROM:<>", f"RCPT TO:<{self.recipient}>"))

    def refused_at(self, stage: str) -> Session:
        """A client that is rejected at an early stage."""
        return self.hold(lambda at, _: verdict("reject" if at == stage else "accept"), ("MAIL FROM:<>",))

    def from_client(self, client: str, *options: str) -> Session:
        """A client that should not be asked about."""
        return self.hold(lambda *_: verdict("accept"), ("MAIL FROM:<>", f"RCPT TO:<{self.recipient}>"), client, options)

    def hold(
        self, answer: Answer | None, lines: Sequence[str], client: str = CLIENT, options: Sequence[str] = ()
    ) -> Session:
        """Hold a session. answer: what the daemon would reply to the n-th query of a stage; None: nobody listens."""
        with _listening(answer) as (path, queries):
            exim = replace(self.exim, macros={"EXIMACL_SOCKET": str(path)})
            text = "".join(f"{line}\r\n" for line in (f"EHLO {HELO}", *lines, "QUIT"))
            said = exim.run("-odq", *options, "-bh", client, text=text)
        replies = tuple(f"{code} {rest}" for code, rest in _REPLY.findall(said.out.replace("\r", "")))
        return Session(replies, tuple(queries), said.err, said.status == 0)


@contextmanager
def _listening(answer: Answer | None) -> Iterator[tuple[Path, list[bytes]]]:
    """Listen at a socket that Exim's user can reach; yield its path and the queries that come."""
    queries: list[bytes] = []
    with tempfile.TemporaryDirectory(prefix="eximacl-doctor-") as home, contextlib.ExitStack() as stack:
        Path(home).chmod(0o711)
        path = Path(home) / "socket"
        if answer is not None:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            listener.bind(str(path))
            path.chmod(0o666)
            listener.listen(8)
            done = threading.Event()
            thread = threading.Thread(target=_serve, args=(listener, answer, queries, done), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)  # ends the thread's accept()
            stack.callback(done.set)
        yield path, queries


def _serve(listener: socket.socket, answer: Answer, queries: list[bytes], done: threading.Event) -> None:
    counts: dict[str, int] = {}
    while not done.is_set():
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            with client, client.makefile("rb") as file:
                client.settimeout(READ_SECONDS)
                line = file.readline(READ_BYTES)
                stage = line.partition(b" ")[0].decode(errors="replace")
                if stage == "control" or not line:
                    continue
                queries.append(line)
                counts[stage] = counts.get(stage, 0) + 1
                reply = answer(stage, counts[stage])
                if reply is not None:
                    client.sendall(format_reply(reply))
