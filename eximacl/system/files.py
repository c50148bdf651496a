"""Files: opened without waiting, replaced in one step, and on the disk when we say so.

Everything here raises OSError; its `filename` and `strerror` are fit for the administrator.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO, NamedTuple

from eximacl.system.locks import lock

# What the daemon writes (state, records, mail) is for its user and its group only.
PRIVATE_FILE_MODE = 0o640
PRIVATE_DIRECTORY_MODE = 0o750
# What an administrator writes is also read by users that are not root: the daemon's and Exim's.
PUBLIC_FILE_MODE = 0o644
PUBLIC_DIRECTORY_MODE = 0o755

# O_NONBLOCK: a FIFO does not make the reader wait. O_NOCTTY: a terminal does not become ours.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Identity(NamedTuple):
    """What tells one file from all others that exist at the same time (stat(2))."""

    device: int
    inode: int


def identity_of(status: os.stat_result) -> Identity:
    """Return the identity of the file that `status` describes."""
    return Identity(status.st_dev, status.st_ino)


def identity(path: Path, *, follow: bool = True) -> Identity | None:
    """Return the identity of the file at `path`; None where there is none. Raises OSError.

    follow: for a symbolic link, that of the file it leads to.
    """
    try:
        return identity_of(path.stat() if follow else path.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return None


def open_descriptor(path: Path | str, *, follow: bool = True) -> tuple[int, os.stat_result]:
    """Open a regular file for reading; return its descriptor and its status. Raises OSError for anything else.

    Nothing makes it wait (a FIFO), fills the memory (a device) or is changed by it (a terminal). follow: whether a
    symbolic link is followed.
    """
    fd = os.open(path, _READ if follow else _READ | os.O_NOFOLLOW)
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode):
        return fd, status
    os.close(fd)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Open a regular file for reading, as `open_descriptor` does. Raises OSError."""
    return os.fdopen(open_descriptor(path, follow=follow)[0], "rb")


def read_regular(path: Path, bytes_max: int) -> bytes:
    """Return the content of a regular file of at most `bytes_max` bytes. Raises OSError, for a longer one too."""
    with open_regular(path) as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise OSError(errno.EFBIG, f"it is longer than {bytes_max // 1024} KiB", str(path))
    return data


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write all of `data` to an unbuffered file. Raises OSError.

    A disk that is nearly full takes a part of it, and refuses only the next write.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def write_new(path: Path, data: bytes, mode: int = 0o600, owner: tuple[int, int] = (-1, -1)) -> None:
    """Create a file with its content on the disk. Raises OSError, FileExistsError among them.

    Nobody else can open it before it has its content, its owner (user and group; -1: ours) and its mode.
    """
    fd = os.open(path, _CREATE, 0o600)
    with os.fdopen(fd, "wb", buffering=0) as file:
        write_all(file, data)
        os.fchown(fd, *owner)
        os.fchmod(fd, mode)
        os.fsync(fd)


def replace_file(
    path: Path,
    data: bytes,
    *,
    mode: int | None = None,
    new_mode: int = PUBLIC_FILE_MODE,
    new_owner: tuple[int, int] = (-1, -1),
    follow: bool = True,
    give_away: bool = True,
) -> None:
    """Put `data` at `path` in one step: a reader, even after a crash, finds the old content or the new.

    The new file has the owner and the mode of the old one. Where there was none, it has `new_mode` and `new_owner`
    (user and group; -1: ours). Raises OSError; then nothing is changed.

    mode: set it even where the old file has another. follow: replace the file that a symbolic link leads to; otherwise
    the link itself. give_away: fail where we may not give the file to its old owner, who else loses it to us.
    """
    if follow:
        path = path.resolve()
    sweep(path)
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix="~")
    private = Path(name)
    try:
        with os.fdopen(fd, "wb", buffering=0) as file:
            lock(fd)  # so that `sweep` of another process leaves it alone
            _dress(fd, path, mode, new_mode, new_owner, give_away)
            write_all(file, data)
            os.fsync(fd)
            private.replace(path)  # while the lock is held
    except BaseException:
        private.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sweep(path: Path) -> None:
    """Delete what a killed `replace_file` has left beside `path`. A file that is still being written is locked."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}~")
    with contextlib.suppress(OSError):  # what cannot be deleted is in nobody's way
        for leftover in [one for one in path.parent.iterdir() if name.fullmatch(one.name)]:
            with contextlib.suppress(OSError), open_regular(leftover, follow=False) as file:
                lock(file.fileno(), wait=False)
                leftover.unlink()


def umask_mode() -> int:
    """Return the permissions that a new file has by the umask. Only for a process of a single thread."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


def sync_directory(path: Path) -> None:
    """Bring a directory's entries to the disk. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _dress(fd: int, path: Path, mode: int | None, new_mode: int, new_owner: tuple[int, int], give_away: bool) -> None:
    """Give the file that will replace `path` its owner, then its mode."""
    try:
        old = path.stat()
    except FileNotFoundError:
        os.fchown(fd, *new_owner)
        os.fchmod(fd, new_mode if mode is None else mode)
        return
    try:
        os.fchown(fd, old.st_uid, old.st_gid)
    except PermissionError:
        if give_away:
            raise
    os.fchmod(fd, stat.S_IMODE(old.st_mode) if mode is None else mode)
