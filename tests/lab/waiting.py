"""Waiting for what another process does. Rule: no longer than needed, and never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

# What is waited for takes milliseconds; a machine under load may take a thousand times that.
WAIT_SECONDS = 10.0
POLL_SECONDS = 0.01


def until(met: Callable[[], bool], what: str = "") -> None:
    """Return once `met()` is true. Raises TimeoutError."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not met():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {WAIT_SECONDS:.0f} s for {what or met}")
        time.sleep(POLL_SECONDS)
