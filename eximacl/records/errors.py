"""What can go wrong with the records. Each text names the path, and what to do.

RecordsError
└── NoDecision    the journal has no decision with this reference
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

# Who may read what the daemon writes.
READERS = "run this as root or as a member of the daemon's group"


class RecordsError(Exception):
    """The daemon's records cannot be read."""


class NoDecision(RecordsError):
    """No decision with this reference is in the journal."""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an OSError at reading the records at `path` into a RecordsError."""
    try:
        yield
    except OSError as error:
        who = f"; {READERS}" if isinstance(error, PermissionError) else ""
        raise RecordsError(f"{error.filename or path} cannot be read: {error.strerror}{who}") from None
