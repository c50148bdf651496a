"""Running a command on a real terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from typing import IO

READ_BYTES = 65536


class Terminal:
    """A command whose three streams are a terminal, or only those that are not given. colour: whether it wants some."""

    def __init__(
        self,
        *args: object,
        columns: int = 80,
        stdout: IO[bytes] | None = None,
        stdin: IO[bytes] | None = None,
        colour: bool = False,
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
        environ |= {"TERM": "xterm"} if colour else {"TERM": "xterm", "NO_COLOR": "1"}
        command = [sys.executable, "-m", "eximacl", *map(str, args)]
        self.process = subprocess.Popen(
            command,
            stdin=stdin or theirs,
            stdout=stdout or theirs,
            stderr=theirs,
            env=environ,
            start_new_session=True,
            # A shell that has started us in the background lets us, and all our children, ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(theirs)
        self.shown = b""

    def until(self, met: Callable[[bytes], bool]) -> None:
        """Read until what was shown is enough."""
        while not met(self.shown):
            self.shown += os.read(self._ours, READ_BYTES)

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._ours, text.encode())

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit status and all that was shown."""
        try:
            while chunk := os.read(self._ours, READ_BYTES):
                self.shown += chunk
        except OSError:  # the other side has ended
            pass
        os.close(self._ours)
        return self.process.wait(), self.shown.decode().replace("\r\n", "\n")


def on_terminal(
    *args: object, columns: int = 80, stdout: IO[bytes] | None = None, colour: bool = False
) -> tuple[int, str]:
    """Run a command to its end."""
    return Terminal(*args, columns=columns, stdout=stdout, colour=colour).end()
