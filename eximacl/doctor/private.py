"""A directory for Exim's eyes only. Rule: nobody but root and Exim's user gets in, so that nobody else can ask at a
socket in it, or read a configuration with its secrets."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Not TMPDIR, which may be private to root, or too long for the 107 bytes of a socket's path (unix(7)).
RUN = Path("/run")
# Exim's user may enter it and look, and put nothing into it.
MODE = 0o500


@contextmanager
def private_directory(uid: int) -> Iterator[Path]:
    """Yield a new directory of the user's, which goes at the end with all that is in it."""
    place = RUN if os.access(RUN, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="eximacl-doctor-", dir=place) as name:
        home = Path(name)
        os.chown(home, uid, -1)
        home.chmod(MODE)
        yield home
