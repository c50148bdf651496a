"""Opening a state file beside the daemon that owns it: no file is created, replaced, or taken away from the daemon.

If root created the file, the daemon could not open it. And the directory belongs to an unprivileged, network-facing
user: a symbolic link in it could point root anywhere. So root refuses links, and works with the rights of the
directory's owner, who could have written the file anyway.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from eximacl.policy.state import StateError
from eximacl.system.users import rights_of_owner, user_name

RIGHTS = "run this as root or as the daemon's user"


@contextlib.contextmanager
def as_owner(path: Path) -> Iterator[bool]:
    """Work with the rights that are right for a state file; yields whether there is one. Raises StateError."""
    try:
        found, directory = path.lstat(), path.parent.stat()
        _refuse_foreign(path, found, directory)
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        yield False
        return
    except PermissionError:
        raise StateError(f"{path}: permission denied: {RIGHTS}") from None
    with rights_of_owner(directory):
        if not _may(path, os.R_OK | os.W_OK) or not _may(path.parent, os.W_OK | os.X_OK):
            raise StateError(f"{path}: permission denied: {RIGHTS}")
        yield True


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=True)


def _refuse_foreign(path: Path, found: os.stat_result, directory: os.stat_result) -> None:
    """Refuse, as root, what another user may have put in the place of the state file."""
    others = directory.st_uid != 0 or directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if os.geteuid() != 0 or not others:
        return
    if stat.S_ISLNK(found.st_mode):
        raise StateError(
            f"{path} is a symbolic link, and users other than root may write in its directory: it is not followed; "
            "delete it, or name the file itself"
        )
    if directory.st_uid not in (0, found.st_uid):
        owner = user_name(directory.st_uid)
        raise StateError(
            f"{path} belongs to {user_name(found.st_uid)}, but its directory to {owner}: it is not used; "
            + _cure(path, found, owner)
        )


def _cure(path: Path, found: os.stat_result, owner: str) -> str:
    """Say what to do about a file of another user's; chown would give away what a hard link leads to."""
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file, so it is not the daemon's state: delete it"
    if found.st_nlink > 1:
        return "it has another name elsewhere (a hard link), so it may not be the daemon's state: delete it here"
    return f"if it is the daemon's state, chown {owner} {path}"
