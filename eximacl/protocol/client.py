"""Asking the daemon from a program, as Exim does: connect, send one line, read to the end.

It blocks, but is bounded in time and in bytes, as any program may be listening there. Every failure is a `DaemonError`
that names the socket and what to do.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eximacl.policy.outcome import WORDS
from eximacl.protocol.exim import CONTROL, ProtocolError, Reply, format_query, parse_reply
from eximacl.system.paths import SOCKET
from eximacl.system.text import printable

# What the snippets give the daemon by default (EXIMACL_TIMEOUT): longer means that Exim has given up.
TIMEOUT_SECONDS = 5.0
# Of a reply. A status has some kilobytes, the problems of a policy that is wrong in every line some hundred. Root asks,
# and a program that is not ours must not fill root's memory.
REPLY_BYTES_MAX = 4 * 1024 * 1024
READ_BYTES = 64 * 1024

UNREADABLE = (
    "the answer cannot be read: is it from another version, or another program? "
    "Restart the daemon: systemctl restart eximacl"
)

ANSWERS = (*WORDS, "ok", "error")
# Control requests of anyone who may connect, and who may put the others.
EVERYONES = ("ping", "status")
OWNERS = "root or as the daemon's own user"
# Reasons that say nothing about what was asked.
DAEMONS_OWN = ("late", "overload", "internal", "stopping")


class DaemonError(Exception):
    """The daemon cannot be asked, or did not answer; the text says what to change."""


class Denied(DaemonError):
    """We may not connect to the socket. who: who may, to be named after 'run as '."""

    def __init__(self, path: Path, who: str = "root or as a member of the socket's group") -> None:
        super().__init__(f"{path}: permission denied: run as {who}")


class NoDaemon(DaemonError):
    """No program listens on the socket."""


class RequestRefused(DaemonError):
    """A query or a control request was refused.

    reason: its slug (docs/protocol.md); message: the daemon's own words; what: the beginning of a sentence about it.
    """

    def __init__(self, reason: str, message: str, what: str = "the query was") -> None:
        self.reason = reason
        self.message = printable(message)
        slug = "" if reason == "permission" else f" ({printable(reason)})"
        super().__init__(f"{what} refused: {self.message}{slug}")

    @property
    def is_daemons_own(self) -> bool:
        """Whether the daemon could not answer, whatever was asked."""
        return self.reason in DAEMONS_OWN


def ask(path: Path, line: bytes, timeout: float = TIMEOUT_SECONDS) -> Reply:
    """Send one line (with its newline) to the daemon's socket and return the reply. Raises DaemonError.

    timeout: seconds for all of it, from the connection to the reply's last byte.
    """
    data = _exchange(path, line, timeout)
    if not data:
        raise DaemonError(f"{path}: the daemon closed the connection without an answer; see its log")
    try:
        reply = parse_reply(data)
    except ProtocolError as error:
        raise DaemonError(f"{path}: the program listening there is not eximacl: {error}") from None
    if reply.verdict not in ANSWERS:
        raise DaemonError(f"{path}: the program listening there is another version of eximacl: unknown verdict")
    return reply


def ask_control(path: Path, word: str, values: Mapping[str, str], timeout: float = TIMEOUT_SECONDS) -> Any:
    """Put a control request to the daemon, and return its answer: any JSON value, or None where it says only `ok`.

    Raises RequestRefused where the daemon refuses, else DaemonError.
    """
    try:
        reply = ask(path, format_query(CONTROL, {"do": word, **values}), timeout)
    except Denied:
        raise Denied(path) if word in EVERYONES else Denied(path, OWNERS) from None
    if reply.verdict == "error":
        raise RequestRefused(reply.reason, reply.message, f"{path}: the daemon")
    try:
        return json.loads(reply.extra.get("answer", "null"))
    except (ValueError, RecursionError):
        raise DaemonError(f"{path}: {UNREADABLE}") from None


def _exchange(path: Path, line: bytes, timeout: float) -> bytes:
    until = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.settimeout(_left(until))
            client.connect(str(path))
            client.settimeout(_left(until))
            client.sendall(line)
            client.shutdown(socket.SHUT_WR)
            return b"".join(_received(client, until, path))
        except FileNotFoundError:
            unit = " Under systemd, systemctl restart eximacl.socket creates it again" if path == SOCKET else ""
            raise NoDaemon(f"{path} does not exist: is the daemon running, and is --socket right?{unit}") from None
        except ConnectionRefusedError:
            raise NoDaemon(f"{path}: no program listens there: start the daemon with 'eximacl serve'") from None
        except PermissionError:
            raise Denied(path) from None
        except TimeoutError:
            raise DaemonError(
                f"{path}: no answer within {timeout:g} s: the daemon hangs or fails to start; see its log"
            ) from None
        except OSError as error:
            raise DaemonError(f"{path}: {error.strerror or error}") from None


def _received(client: socket.socket, until: float, path: Path) -> Iterator[bytes]:
    """Yield the reply as it comes. Raises TimeoutError at `until`, DaemonError beyond the limit."""
    size = 0
    while True:
        client.settimeout(_left(until))
        chunk = client.recv(READ_BYTES)
        if not chunk:
            return
        size += len(chunk)
        if size > REPLY_BYTES_MAX:
            raise DaemonError(
                f"{path}: the program listening there is not eximacl: its answer has no end; see which it is: ss -xlp"
            )
        yield chunk


def _left(until: float) -> float:
    """Return how many seconds there still are. Raises TimeoutError where none are: 0 would mean not to wait at all."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
