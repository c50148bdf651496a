"""Creating files and directories in the archive, with its permissions and its group.

The archive's methods raise ArchiveError with the setting to change (`Writer.explained`) instead of an OSError.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from eximacl.archive.errors import ArchiveError
from eximacl.archive.layout import KEY
from eximacl.system.files import PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE
from eximacl.system.users import group_id

GROUP_KEY = "archive.group"

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Writer:
    """Creates files and directories in the archive at `root`, with its permissions and its group.

    group: its name or number; empty: that of the process. Raises ArchiveError for a group that does not exist.
    """

    def __init__(self, root: Path, group: str = "") -> None:
        self.root = root
        self._group = group
        self._gid = _gid(group)

    def prepare(self) -> None:
        """Make the archive's own directory where it is missing. Raises ArchiveError."""
        with self.explained():
            if not self.root.is_dir():
                self.root.parent.mkdir(PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
                self.make_directory(self.root)

    def check(self) -> None:
        """Raise ArchiveError where `prepare` could never succeed; change nothing."""
        there = next(path for path in (self.root, *self.root.absolute().parents) if os.path.lexists(path))
        if not there.is_dir():
            raise ArchiveError(f"{KEY}: {there} is not a directory; name another one, or move it away")

    def make_directory(self, path: Path) -> None:
        """Make a directory where there is none. Raises OSError."""
        try:
            path.mkdir(PRIVATE_DIRECTORY_MODE)
        except FileExistsError:
            if not path.is_dir():
                raise
            return
        os.chown(path, -1, self._gid)
        path.chmod(PRIVATE_DIRECTORY_MODE)

    def refuse_links(self, *directories: Path) -> None:
        """Raise OSError for a directory that is a symbolic link: nothing behind one is found in the archive."""
        for path in directories:
            if path.is_symlink():
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))

    def create(self, path: Path) -> int:
        """Create a file that must not exist yet, and return its descriptor. Raises OSError."""
        fd = os.open(path, _CREATE, PRIVATE_FILE_MODE)
        try:
            os.fchown(fd, -1, self._gid)
            os.fchmod(fd, PRIVATE_FILE_MODE)
        except BaseException:
            os.close(fd)
            path.unlink()
            raise
        return fd

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn an OSError into an ArchiveError that names what to change."""
        try:
            yield
        except OSError as error:
            raise ArchiveError(self._explain(error)) from error

    def _explain(self, error: OSError) -> str:
        where = f"{KEY}: {error.filename or self.root}: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"{where}; free some space, or lower archive.keep_mb or archive.keep_days"
        if error.errno == errno.ELOOP:
            return f"{KEY}: {error.filename} is a symbolic link; put a directory there, or mount what belongs there"
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST) and not self.root.is_dir():
            return f"{KEY}: {self.root} is not a directory; create it, or mount what belongs there"
        if error.errno == errno.EPERM and self._gid >= 0:
            return f"{GROUP_KEY}: {where}; the daemon's user must be a member of {self._group}"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return f"{where}; the daemon's user must be able to write there"
        return where


def _gid(group: str) -> int:
    if not group:
        return -1
    try:
        return group_id(group)
    except ValueError as error:
        raise ArchiveError(f"{GROUP_KEY}: {error}") from None
