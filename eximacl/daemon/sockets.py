"""The listening sockets: opened at the configured path, or inherited from systemd.

A path is ours only while we hold the lock beside it. So two daemons that start at once cannot both win, a stale socket
file is replaced, and neither a live socket nor anything else is ever deleted.
"""

from __future__ import annotations

import contextlib
import grp
import os
import resource
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from eximacl.system.files import PUBLIC_DIRECTORY_MODE, identity
from eximacl.system.locks import open_lock
from eximacl.system.systemd import FIRST_INHERITED_FD, InheritError, inherited_sockets
from eximacl.system.users import group_id

# Linux's default of net.core.somaxconn; a full backlog makes Exim wait in connect().
BACKLOG = 4096
# sockaddr_un has 108 bytes, one of them the final NUL (unix(7)).
MAX_PATH_BYTES = 107
# The default of server.group, and the group that it means.
AUTO_GROUP = "auto"
DEBIAN_GROUP = "Debian-exim"


class ListenError(Exception):
    """A socket cannot be listened on; the text names the path or the variable to change."""


class Listener:
    """A listening socket, and what is to be undone when it closes.

    path: where it was bound; None when it was inherited. name: systemd's name for it, or the path.
    """

    def __init__(self, sock: socket.socket, name: str, path: Path | None = None, lock: int | None = None) -> None:
        self.socket = sock
        self.name = name
        self.path = path
        self._lock = lock
        self._file = path or _named(sock)
        self._identity = identity(self._file, follow=False) if self._file else None

    def lost(self) -> str:
        """Return why clients cannot find the socket any more; empty: they can, as far as is known.

        Of an inherited socket's file only this is known: whether it is there.
        """
        if self._file is None:
            return ""
        try:
            there = identity(self._file, follow=False)
        except OSError:  # it may be there all the same
            return ""
        if there is not None and there == self._identity:
            return ""
        what = "is gone" if there is None else "was replaced"
        return (
            f"the socket's file {self._file} {what}, so Exim cannot reach the daemon and takes mail without asking: "
            "restart the daemon; under systemd, systemctl restart eximacl.socket eximacl.service"
        )

    def withdraw(self) -> None:
        """Hide the socket from new clients: unlink the path if it still is this socket, and give up the lock.

        An inherited socket stays where it is: systemd keeps it for the next daemon.
        """
        if self.path is not None and self._lock is not None:
            with contextlib.suppress(OSError):
                if identity(self.path, follow=False) == self._identity:
                    self.path.unlink()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def close(self) -> None:
        """Withdraw and stop listening. Calling it twice is harmless."""
        self.withdraw()
        self.socket.close()


def open_socket(path: Path, mode: int = 0o660, group: str | None = None) -> Listener:
    """Listen at `path`, with permission bits and group (a name, or a number as text) set before anyone can connect.

    Raises ListenError where the path is taken by a live socket or by something else, or cannot be bound.
    """
    _check_path(path)
    gid = _gid(group)
    lock = _take_lock(path)
    try:
        _check_free(path)
        return Listener(_bind(path, mode, gid), str(path), path, lock)
    except BaseException:
        os.close(lock)
        raise


def inherited_listeners(environ: Mapping[str, str], first: int = FIRST_INHERITED_FD) -> list[Listener]:
    """Return the sockets that systemd passed (`systemd.inherited_sockets`). Raises ListenError."""
    try:
        return [Listener(sock, name) for sock, name in inherited_sockets(environ, first)]
    except InheritError as error:
        raise ListenError(str(error)) from None


def allow_descriptors(wanted: int) -> int:
    """Raise this process's soft limit of open files to `wanted`, as far as the hard limit allows; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def _check_path(path: Path) -> None:
    with contextlib.suppress(OSError):  # /run is empty after each boot
        # The socket's own mode and group say who may use it.
        path.parent.mkdir(PUBLIC_DIRECTORY_MODE, exist_ok=True)
    if not path.parent.is_dir():
        raise ListenError(f"server.socket: the directory {path.parent} does not exist and cannot be created")
    if len(os.fsencode(_private_name(path))) > MAX_PATH_BYTES:
        raise ListenError(f"server.socket: {path} is too long; a socket's path may have about 90 bytes")


def _gid(group: str | None) -> int:
    if not group:
        return -1
    if group == AUTO_GROUP:
        return _debian_exim()
    try:
        return group_id(group)
    except ValueError as error:
        raise ListenError(f"server.group: {error}") from None


def _debian_exim() -> int:
    """Return the group of Debian's Exim where it exists and we may give it a file; else -1."""
    try:
        gid = grp.getgrnam(DEBIAN_GROUP).gr_gid
    except KeyError:
        return -1
    return gid if os.geteuid() == 0 or gid in {os.getegid(), *os.getgroups()} else -1


def _take_lock(path: Path) -> int:
    """Lock the file beside the socket. It is left there (`open_lock`)."""
    name = Path(f"{path}.lock")
    try:
        return open_lock(name)
    except BlockingIOError:
        raise ListenError(f"server.socket: another eximacl serves {path} (it holds {name})") from None
    except OSError as error:
        raise ListenError(f"server.socket: cannot create {name}: {error.strerror}") from None


def _check_free(path: Path) -> None:
    """Raise ListenError where there is anything except a socket on which no program listens."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ListenError(f"server.socket: {path} exists and is not a socket; remove it, or name another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except BlockingIOError:
            pass  # its backlog is full: alive
        except OSError as error:
            raise ListenError(f"server.socket: cannot find out who serves {path}: {error.strerror}") from None
    raise ListenError(f"server.socket: another program serves {path}; stop it, or name another path")


def _bind(path: Path, mode: int, gid: int) -> socket.socket:
    """Bind under a private name, listen, and only then move it to `path`: a client that finds it can use it."""
    private = _private_name(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        private.unlink(missing_ok=True)
        sock.bind(str(private))
        _give_to_group(private, gid)
        private.chmod(mode)
        sock.listen(BACKLOG)
        private.rename(path)
    except OSError as error:
        sock.close()
        with contextlib.suppress(OSError):
            private.unlink(missing_ok=True)
        raise ListenError(f"server.socket: cannot listen at {path}: {error.strerror or error}") from None
    return sock


def _give_to_group(path: Path, gid: int) -> None:
    try:
        os.chown(path, -1, gid)
    except PermissionError:
        raise ListenError(
            f"server.group: this user is not a member of group {gid}, so it cannot give it {path}; run as root, or join"
        ) from None


def _private_name(path: Path) -> Path:
    """Only the holder of the lock uses this name, so it may be deleted without a look."""
    return path.with_name(f".{path.name}.new")


def _named(sock: socket.socket) -> Path | None:
    """Return the path that a socket was bound to; None for one in Linux's abstract namespace."""
    name = sock.getsockname()
    return Path(name) if isinstance(name, str) and name.startswith("/") else None
