"""Talking to Exim as a client, with `exim4 -bh`, while a socket of ours takes the daemon's place.

Exim's own ACLs run as for any client; nothing is delivered (Exim specification, section 5.2, `-bh`), and the daemon
does not notice. A macro on the command line, which root may set, makes Exim ask at our socket, where nobody else may.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from eximacl.exim import Exim
from eximacl.exim.private import private_directory
from eximacl.protocol.exim import Reply, format_reply
from eximacl.system.users import peer_uid

# Addresses for documentation (RFC 5737, RFC 3849), which belong to nobody and are not relay hosts.
CLIENT = "192.0.2.1"
CLIENTS = (CLIENT, "198.51.100.1", "203.0.113.1", "2001:db8::1")
HELO = "doctor.example.net"
# Is in every text of a made-up verdict, so that we recognize it in Exim's reply.
TOKEN = "eximacl-doctor-test"
REF = "00000000"
# Exim writes as soon as it is connected, within milliseconds; a machine under load may take much longer.
READ_SECONDS = 5.0
# When the session ends, its thread has at most one query left to read.
JOIN_SECONDS = 2 * READ_SECONDS
READ_BYTES = 1 << 20
_REPLY = re.compile(r"(?m)^(\d{3}) (.*)$")

Responder = Callable[[str, int], Reply | None]


@dataclass(frozen=True)
class Session:
    """What happened in one. replies: the last line of each reply, the greeting first. queries: what Exim asked."""

    replies: tuple[str, ...]
    queries: tuple[bytes, ...]
    log: str
    ended: bool

    def asked(self, stage: str) -> bytes | None:
        """Return the first query of a stage."""
        return next((line for line in self.queries if line.startswith(stage.encode() + b" ")), None)

    @property
    def stopped(self) -> str:
        """The reply with which Exim's own rules ended it before we could name a recipient; empty where none did."""
        return next((reply for reply in self.replies[:3] if not reply.startswith("2") and TOKEN not in reply), "")

    def reply(self, number: int) -> str:
        """Return a reply by its number; empty where there were fewer."""
        return self.replies[number] if number < len(self.replies) else ""

    def said(self, code: int) -> bool:
        """Return whether a reply has this code and the text of our own verdict."""
        return any(line.startswith(str(code)) and TOKEN in line for line in self.replies)


def verdict(word: str, want: str = "") -> Reply:
    """Make up a verdict."""
    code, status = {"accept": (250, ""), "reject": (550, "5.7.1 "), "defer": (451, "4.7.1 ")}[word]
    text = "" if word == "accept" else f"{status}{TOKEN}"
    return Reply(word, code, "doctor" if text else "", REF, want, text, f"eximacl: {TOKEN}" if text else "")


@dataclass(frozen=True)
class Sessions:
    """The sessions that the diagnoses need, each held once and with one recipient, since a site may allow only one.

    early: Exim asks at connect, HELO and MAIL, too. uid: Exim's user, who may ask at our socket.
    """

    exim: Exim
    recipient: str
    early: bool
    uid: int = 0

    @cached_property
    def accepted(self) -> Session:
        """A recipient that is accepted, and for which a slot is reserved; then QUIT."""
        return self._rcpt(verdict("accept", "data end"))

    @cached_property
    def rejected(self) -> Session:
        """A recipient that is rejected."""
        return self._rcpt(verdict("reject"))

    @cached_property
    def deferred(self) -> Session:
        """A recipient that is deferred."""
        return self._rcpt(verdict("defer"))

    def _rcpt(self, reply: Reply) -> Session:
        lines = ("MAIL FROM:<>", f"RCPT TO:<{self.recipient}>")
        return self.hold(lambda stage, _: reply if stage == "rcpt" else verdict("accept"), lines)

    @cached_property
    def message(self) -> Session:
        """A message that is rejected at DATA."""
        lines = ("MAIL FROM:<>", f"RCPT TO:<{self.recipient}>", "DATA", f"Subject: {TOKEN}", "", "text", ".")
        return self.hold(lambda stage, _: verdict("reject") if stage == "data" else verdict("accept", "data"), lines)

    @cached_property
    def alone(self) -> Session:
        """The first recipient again, with nothing listening at the socket."""
        return self.hold(None, ("MAIL FROM:<>", f"RCPT TO:<{self.recipient}>"))

    def refused_at(self, stage: str) -> Session:
        """A client that is rejected at an early stage."""
        return self.hold(lambda at, _: verdict("reject" if at == stage else "accept"), ("MAIL FROM:<>",))

    def from_client(self, client: str, *options: str) -> Session:
        """A client that Exim should not ask about."""
        return self.hold(lambda *_: verdict("accept"), ("MAIL FROM:<>", f"RCPT TO:<{self.recipient}>"), client, options)

    def hold(
        self, answer: Responder | None, lines: Sequence[str], client: str = CLIENT, options: Sequence[str] = ()
    ) -> Session:
        """Hold a session. answer: what the daemon would reply to the n-th query of a stage; None: nothing listens."""
        with listening(answer, self.uid) as (path, queries):
            exim = replace(self.exim, macros={"EXIMACL_SOCKET": str(path)})
            text = "".join(f"{line}\r\n" for line in (f"EHLO {HELO}", *lines, "QUIT"))
            said = exim.run("-odq", *options, "-bh", client, text=text)
        replies = tuple(f"{code} {rest}" for code, rest in _REPLY.findall(said.out.replace("\r", "")))
        return Session(replies, tuple(queries), said.err, said.status == 0)


@contextmanager
def listening(answer: Responder | None, uid: int) -> Iterator[tuple[Path, list[bytes]]]:
    """Listen at a socket that only root and Exim's user can reach; yield its path and the queries that come."""
    queries: list[bytes] = []
    with private_directory(uid) as home, contextlib.ExitStack() as stack:
        path = home / "socket"
        if answer is not None:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            listener.bind(str(path))
            os.chown(path, uid, -1)
            path.chmod(0o600)
            listener.listen(8)
            done = threading.Event()
            serving = _Serving(listener, answer, queries, done, frozenset({0, uid}))
            thread = threading.Thread(target=serving.run, daemon=True)
            thread.start()
            stack.callback(thread.join, JOIN_SECONDS)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)  # ends the thread's accept()
            stack.callback(done.set)
        yield path, queries


@dataclass(frozen=True)
class _Serving:
    """Takes the daemon's place. uids: whose queries are read; any other client is disconnected at once."""

    listener: socket.socket
    answer: Responder
    queries: list[bytes]
    done: threading.Event
    uids: frozenset[int]

    def run(self) -> None:
        counts: dict[str, int] = {}
        while not self.done.is_set():
            with contextlib.suppress(OSError):
                client, _ = self.listener.accept()
                with client:
                    self._serve(client, counts)

    def _serve(self, client: socket.socket, counts: dict[str, int]) -> None:
        if peer_uid(client) not in self.uids:
            return
        line = line_from(client, time.monotonic() + READ_SECONDS)
        stage = line.partition(b" ")[0].decode(errors="replace")
        if stage == "control" or not line:
            return
        self.queries.append(line)
        counts[stage] = counts.get(stage, 0) + 1
        reply = self.answer(stage, counts[stage])
        if reply is not None:
            client.sendall(format_reply(reply))


def line_from(client: socket.socket, deadline: float) -> bytes:
    """Return what comes before a newline or the end. Raises TimeoutError, however slowly it comes."""
    line = b""
    while not line.endswith(b"\n") and len(line) < READ_BYTES:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        client.settimeout(left)
        chunk = client.recv(65536)
        if not chunk:
            break
        line += chunk
    return line
