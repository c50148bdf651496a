"""Telling systemd how the daemon is (sd_notify(3)). Rule: without NOTIFY_SOCKET nothing happens, and nothing fails.

Our own code, since the whole protocol is one datagram of `KEY=value` lines to a Unix socket.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping

# Some hundred thousand years; more is a mistake.
MAX_DIGITS = 19
# Shorter than that and we would do little else.
MIN_WATCHDOG_SECONDS = 0.02


class Notifier:
    """Speaks to the service manager that `environ` names; to nobody without one.

    watchdog_seconds: how long systemd waits for the next `watchdog()` before it kills the daemon; None: for ever.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_seconds = _watchdog_seconds(environ)

    def ready(self, status: str) -> None:
        """The daemon serves, at first or again after `reloading`; `status` is shown by `systemctl status`."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it. With the time, as Type=notify-reload wants it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The daemon answers what has come and ends."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Change the line that `systemctl status` shows."""
        self._send(f"STATUS={_one_line(text)}")

    def watchdog(self) -> None:
        """The event loop still turns."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # A manager that is gone or busy is no reason to stop answering queries.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode("utf-8", "backslashreplace"), self._address)


def _address(name: str) -> bytes:
    """An `@` in front means Linux's abstract namespace. Anything else that is no path is none of ours (vsock)."""
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


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())
