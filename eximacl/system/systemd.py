"""What systemd and the daemon say to each other: how the daemon is (sd_notify(3)), and the sockets that it gets.

Our own code, since both protocols are a few lines: one datagram of `KEY=value` lines to a Unix socket, and three
environment variables about open descriptors (sd_listen_fds(3)).
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import NamedTuple

from eximacl.system.text import one_line

# Some hundred thousand years; more is a mistake.
MAX_DIGITS = 19
# With a shorter interval the daemon would do little else.
MIN_WATCHDOG_SECONDS = 0.02
# systemd passes the first descriptor here (sd_listen_fds(3)).
FIRST_INHERITED_FD = 3
# A unit may have several sockets; nobody has dozens.
MAX_INHERITED = 64


class InheritError(Exception):
    """What systemd passed is not a listening socket; the text names the variable or the setting of the unit."""


class InheritedSocket(NamedTuple):
    """A listening Unix stream socket that systemd passed, and its name in the unit (FileDescriptorName=)."""

    socket: socket.socket
    name: str


class Notifier:
    """Speaks to the service manager that `environ` names (NOTIFY_SOCKET). Without one, nothing is sent.

    A message that cannot be delivered is dropped silently. watchdog_seconds: how long systemd waits for the next
    `watchdog()` before it kills the daemon; None: it does not watch.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_seconds = _watchdog_seconds(environ)

    def ready(self, status: str) -> None:
        """The daemon serves, from the start or again after `reloading`; `systemctl status` shows `status`."""
        self._send(f"READY=1\nSTATUS={one_line(status)}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it. Type=notify-reload wants to know when it began."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The daemon answers the queries that it has, and ends."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Change the line that `systemctl status` shows."""
        self._send(f"STATUS={one_line(text)}")

    def watchdog(self) -> None:
        """The event loop is still running."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # Queries are answered even while the manager is gone or busy.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode("utf-8", "backslashreplace"), self._address)


def _address(name: str) -> bytes:
    """Return the address to send to: a path, or a name in Linux's abstract namespace (`@…`). Others (vsock): none."""
    if name.startswith("@"):
        return b"\0" + os.fsencode(name[1:])
    return os.fsencode(name) if name.startswith("/") else b""


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or len(microseconds) > MAX_DIGITS or not int(microseconds):
        return None
    return max(int(microseconds) / 1_000_000, MIN_WATCHDOG_SECONDS)


def inherited_sockets(environ: Mapping[str, str], first: int = FIRST_INHERITED_FD) -> list[InheritedSocket]:
    """Return the sockets that systemd passed (sd_listen_fds(3)); none where LISTEN_PID is not this process.

    first: the first descriptor. Raises InheritError where one is not a listening Unix stream socket.
    """
    if environ.get("LISTEN_PID", "") != str(os.getpid()):
        return []
    try:
        count = int(environ.get("LISTEN_FDS", "0"))
    except ValueError:
        raise InheritError(f"LISTEN_FDS={environ['LISTEN_FDS']!r} is not a number") from None
    if not 0 <= count <= MAX_INHERITED:
        raise InheritError(f"LISTEN_FDS={count} is not between 0 and {MAX_INHERITED}")
    names = environ.get("LISTEN_FDNAMES", "unknown").split(":")
    names += ["unknown"] * (count - len(names))
    return [_inherit(first + index, names[index]) for index in range(count)]


def _inherit(fd: int, name: str) -> InheritedSocket:
    """Take over a descriptor, after a look at what it is: a wrong unit file passes other things, too."""
    what = f"LISTEN_FDS: descriptor {fd} ({name})"
    try:
        sock = socket.socket(fileno=fd)
    except OSError as error:
        raise InheritError(f"{what} is not a socket: {error.strerror}") from None
    if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
        sock.detach()
        raise InheritError(f"{what} is not a Unix stream socket: use ListenStream=/path in the .socket unit")
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()
        raise InheritError(f"{what} does not listen: use Accept=no in the .socket unit")
    os.set_inheritable(fd, False)
    sock.setblocking(False)
    return InheritedSocket(sock, name)
