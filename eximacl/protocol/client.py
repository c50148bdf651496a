"""Asking the daemon from a program, as Exim does: connect, one line, read to the end.

Rule: blocking and bounded, in time and in bytes, whoever listens there; every failure is a `DaemonError` that names the
socket and what to do.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

from eximacl.policy.outcome import WORDS
from eximacl.protocol.exim import ProtocolError, Reply, parse_reply

# What the snippets give the daemon by default (EXIMACL_TIMEOUT): longer means that Exim has given up.
TIMEOUT_SECONDS = 5.0
# Of a reply. A status has some kilobytes, the problems of a policy that is wrong in every line some hundred. Root asks,
# and another program at the socket must not fill root's memory.
REPLY_BYTES_MAX = 4 * 1024 * 1024
READ_BYTES = 64 * 1024

ANSWERS = (*WORDS, "ok", "error")


class DaemonError(Exception):
    """The daemon cannot be asked, or did not answer; the text says what to change."""


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
        raise DaemonError(f"{path}: whoever listens there is no eximacl: {error}") from None
    if reply.verdict not in ANSWERS:
        raise DaemonError(f"{path}: whoever listens there is another version of eximacl: unknown verdict")
    return reply


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
            raise DaemonError(
                f"{path} does not exist: is the daemon running, and is --socket right? "
                "Under systemd, systemctl restart eximacl.socket makes it again"
            ) from None
        except ConnectionRefusedError:
            raise DaemonError(f"{path}: nobody listens there: start the daemon with 'eximacl serve'") from None
        except PermissionError:
            raise DaemonError(f"{path}: permission denied: run as root or as a member of the socket's group") from None
        except TimeoutError:
            raise DaemonError(f"{path}: no answer within {timeout:g} s: the daemon hangs; see its log") from None
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
                f"{path}: whoever listens there is no eximacl: the answer has no end; see who it is: ss -xlp"
            )
        yield chunk


def _left(until: float) -> float:
    """Return how many seconds there still are. Raises TimeoutError where none are: 0 would mean not to wait at all."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
