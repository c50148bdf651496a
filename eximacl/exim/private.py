"""A directory for Exim's eyes only. Rule: nobody but root and Exim's user gets in, so that nobody else can ask at a
socket in it, or read a configuration with its secrets."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eximacl.system.locks import directory_lock

# Not TMPDIR, which may be private to root, or too long for the 107 bytes of a socket's path (unix(7)).
RUN = Path("/run")
PREFIX = "eximacl-private-"
# Between its making and its lock a directory is in use, too.
FRESH_SECONDS = 5.0
# Exim's group may enter it and look, and put nothing into it: what root writes there must lead nowhere else.
MODE = 0o750


@contextmanager
def private_directory(uid: int | None) -> Iterator[Path]:
    """Yield a new directory, which goes at the end with all that is in it.

    uid: Exim's user, who gets in besides root; None: there is none. Who is not root has it for himself.
    """
    root = os.geteuid() == 0
    if root:
        clear(RUN)
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, dir=RUN if root else None) as name,
        directory_lock(Path(name), wait=False, follow=False),
    ):
        home = Path(name)
        if root and uid is not None:
            with contextlib.suppress(KeyError):  # a number without a name has no group, and then nobody else gets in
                os.chown(home, 0, pwd.getpwuid(uid).pw_gid)
                home.chmod(MODE)
        yield home


def clear(run: Path) -> None:
    """Delete what killed processes have left; a directory that is in use is locked."""
    for path in run.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # others may clear, too
            if time.time() - path.stat().st_mtime > FRESH_SECONDS:
                with directory_lock(path, wait=False, follow=False):
                    shutil.rmtree(path)
