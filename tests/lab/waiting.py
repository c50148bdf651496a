"""Waiting for what another process does: no longer than needed, and never for ever."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

# What is waited for takes milliseconds; a machine under load may take a thousand times that.
WAIT_SECONDS = 10.0
POLL_SECONDS = 0.01

Text = TypeVar("Text", str, bytes)


def until(met: Callable[[], bool], what: str = "") -> None:
    """Return once `met()` is true. Raises TimeoutError."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not met():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {WAIT_SECONDS:.0f} s for {what or met}")
        time.sleep(POLL_SECONDS)


@contextmanager
def ended(process: subprocess.Popen[Text]) -> Iterator[subprocess.Popen[Text]]:
    """Stop a process at the end, if it is still running. `with Popen()` would wait for it, for ever after a failure."""
    with process:
        try:
            yield process
        finally:
            process.terminate()
