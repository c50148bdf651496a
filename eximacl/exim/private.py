"""A directory that only root and Exim's user can enter: for a socket at which nobody else may ask, and for a
configuration with its secrets."""

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
# A new directory is already in use before its owner has locked it.
FRESH_SECONDS = 5.0
# Exim's group may enter and read it, but write nothing: a link there could lead what root writes elsewhere.
MODE = 0o750


@contextmanager
def private_directory(uid: int | None) -> Iterator[Path]:
    """Yield a new directory, which is deleted at the end with everything in it.

    uid: Exim's user, who may enter it besides root; None: there is no such user. For any user but root, it is a private
    directory of that user alone.
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
            with contextlib.suppress(KeyError):  # a number without a name has no group; then only root can enter
                os.chown(home, 0, pwd.getpwuid(uid).pw_gid)
                home.chmod(MODE)
        yield home


def clear(run: Path) -> None:
    """Delete what killed processes have left. A directory in use is locked."""
    for path in run.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # others may clear, too
            if time.time() - path.stat().st_mtime > FRESH_SECONDS:
                with directory_lock(path, wait=False, follow=False):
                    shutil.rmtree(path)
