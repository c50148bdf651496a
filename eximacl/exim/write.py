"""Putting a text into a file. Rule: at each moment the file has its old text or its new one; mode and owner stay."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

NEW_MODE = 0o644
# A name that run-parts and Debian's script pass over.
PREFIX = ".eximacl-"


def put(path: Path, text: str | None) -> None:
    """Give a file this text at once; None: delete it. Where it is a link, that is for the file that it leads to.

    Raises OSError, and has changed nothing then.
    """
    target = path.resolve()
    if text is None:
        target.unlink(missing_ok=True)
        return
    handle, name = tempfile.mkstemp(prefix=PREFIX, dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        _dress(Path(name), target)
        Path(name).rename(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def duplicate(path: Path, copy: Path) -> None:
    """Copy a file with its mode and owner; nobody can read it before it has them."""
    found = path.stat()
    handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(path.read_bytes())
        file.flush()
        os.fsync(file.fileno())
        os.fchown(file.fileno(), found.st_uid, found.st_gid)
        os.fchmod(file.fileno(), found.st_mode & 0o7777)
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))


def tidy(directory: Path) -> None:
    """Delete what a killed `put` has left."""
    for path in directory.glob(f"{PREFIX}*"):
        path.unlink(missing_ok=True)


def _dress(new: Path, old: Path) -> None:
    try:
        found = old.stat()
    except FileNotFoundError:
        new.chmod(NEW_MODE)
        return
    os.chown(new, found.st_uid, found.st_gid)
    new.chmod(found.st_mode & 0o7777)
