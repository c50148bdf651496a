"""Users and groups: who runs us, who has connected, what a name means, and with whose rights root works.

A directory of the daemon's belongs to an unprivileged, network-facing user, who could put a link in it that leads root
anywhere. So root does there what its owner could have done, and not more.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import socket
import struct
from collections.abc import Iterator, Mapping

# chown(2): the number after it means "leave it as it is".
ID_MAX = 2**32 - 2

# struct ucred of unix(7): process, user and group id.
_PEER_CREDENTIALS = struct.Struct("3i")
_UNFIT_FOR_A_LOG = re.compile(r"[^A-Za-z0-9._-]")


def current_user(environ: Mapping[str, str] = os.environ) -> str:
    """Return the name of the user who runs this: the one before sudo, else the process's own.

    Signs that could mean something in a log or a header field are replaced by `_`.
    """
    return _UNFIT_FOR_A_LOG.sub("_", environ.get("SUDO_USER") or user_name(os.getuid()))


def user_name(uid: int) -> str:
    """Return a user's name; the number as text where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Return a group's name; the number as text where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def group_id(group: str) -> int:
    """Return the number of a group, given by its name or its number. Raises ValueError with a text for the admin."""
    try:
        gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        raise ValueError(f"there is no group {group!r}") from None
    if gid > ID_MAX:
        raise ValueError(f"{group} is not a group: the largest number of one is {ID_MAX}")
    return gid


def peer_uid(sock: socket.SocketType) -> int:
    """Return the user id of the process that connected to a Unix socket (SO_PEERCRED, unix(7)). Raises OSError."""
    packed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    return int(_PEER_CREDENTIALS.unpack(packed)[1])


@contextlib.contextmanager
def rights_of_owner(directory: os.stat_result) -> Iterator[None]:
    """Work with the rights of a directory's owner where root asks; anybody else has only their own.

    This holds for the whole process, so it is for commands, not for a daemon with threads.
    """
    if os.geteuid() != 0 or directory.st_uid == 0:
        yield
        return
    rights = os.geteuid(), os.getegid(), os.getgroups()
    os.setgroups(_groups_of(directory.st_uid, directory.st_gid))
    os.setegid(directory.st_gid)
    os.seteuid(directory.st_uid)
    try:
        yield
    finally:
        _take_on(*rights)


@contextlib.contextmanager
def own_rights() -> Iterator[None]:
    """Within `rights_of_owner`, work with root's rights again."""
    if os.geteuid() == os.getuid() or os.getuid() != 0:
        yield
        return
    rights = os.geteuid(), os.getegid(), os.getgroups()
    _take_on(0, os.getgid(), rights[2])
    try:
        yield
    finally:
        _take_on(*rights)


def _take_on(user: int, group: int, groups: list[int]) -> None:
    os.seteuid(0)
    os.setgroups(groups)
    os.setegid(group)
    os.seteuid(user)


def _groups_of(uid: int, gid: int) -> list[int]:
    """Return a user's groups; none where the user has no name."""
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return []
