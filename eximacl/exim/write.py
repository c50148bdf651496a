"""Putting a text into a file of Exim's configuration; mode, owner and links stay as they are."""

from __future__ import annotations

import os
from pathlib import Path

from eximacl.system.files import replace_file, write_new


def put(path: Path, text: str | None) -> None:
    """Give a file this text in one step; None: delete it. Where it is a link, that is for the file that it leads to.

    Raises OSError, and has changed nothing then.
    """
    if text is None:
        path.resolve().unlink(missing_ok=True)
    else:
        replace_file(path, text.encode("utf-8", "surrogateescape"))


def duplicate(path: Path, copy: Path) -> None:
    """Copy a file with its mode, owner and times to a new one. Raises OSError."""
    found = path.stat()
    write_new(copy, path.read_bytes(), found.st_mode & 0o7777, (found.st_uid, found.st_gid))
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
