"""Asking the daemon from a program, as Exim does: connect, one line, read to the end.

Rule: blocking and bounded; every failure is a `DaemonError` that names the socket and what to do.
"""

from __future__ import annotations

import socket
from pathlib import Path

from eximacl.model import WORDS, Reply
from eximacl.wire import ProtocolError, parse_reply

# What the snippets give the daemon by default (EXIMACL_TIMEOUT): longer means that Exim has given up.
TIMEOUT_SECONDS = 5.0


ANSWERS = (*WORDS, "ok", "error")


class DaemonError(Exception):
    """The daemon cannot be asked, or did not answer; the text says what to change."""


def ask(path: Path, line: bytes, timeout: float = TIMEOUT_SECONDS) -> Reply:
    """Send one line (with its newline) to the daemon's socket and return the reply. Raises DaemonError."""
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
    chunks = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        try:
            client.connect(str(path))
            client.sendall(line)
            client.shutdown(socket.SHUT_WR)
            while chunk := client.recv(65536):
                chunks.append(chunk)
        except FileNotFoundError:
            raise DaemonError(f"{path} does not exist: is the daemon running, and is --socket right?") from None
        except ConnectionRefusedError:
            raise DaemonError(f"{path}: nobody listens there: start the daemon with 'eximacl serve'") from None
        except PermissionError:
            raise DaemonError(f"{path}: permission denied: run as root or as a member of the socket's group") from None
        except TimeoutError:
            raise DaemonError(f"{path}: no answer within {timeout:g} s: the daemon hangs; see its log") from None
        except OSError as error:
            raise DaemonError(f"{path}: {error.strerror or error}") from None
    return b"".join(chunks)
