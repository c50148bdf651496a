"""Locks between processes (flock(2)). A lock ends with its process, whatever ends that."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def lock(fd: int, *, wait: bool = True) -> None:
    """Lock an open file or directory for us alone, until it is closed.

    Raises OSError; without `wait`, BlockingIOError where another process holds the lock.
    """
    fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def directory_lock(path: Path, *, wait: bool = True, follow: bool = True) -> Iterator[None]:
    """Hold the lock of a directory. Raises OSError, and BlockingIOError as `lock` does.

    follow: whether the last part of the path may be a symbolic link.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    try:
        lock(fd, wait=wait)
        yield
    finally:
        os.close(fd)


def open_lock(path: Path) -> int:
    """Lock the file at `path`, which is created where missing, and return its descriptor; closing that unlocks it.

    The file is never deleted: a process that has opened it, and one that creates it again, would both hold "the" lock.
    Raises OSError, and BlockingIOError where another process holds it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        lock(fd, wait=False)
    except BaseException:
        os.close(fd)
        raise
    return fd
