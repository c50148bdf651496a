"""A message in Exim's hands while its DATA ACL runs: the body in the spool, the headers in the query.

Only the body of the message with that id is ever read. Nothing in a query can lead out of the spool directory: ids and
queue names are checked before they become part of a path, and no symbolic link is followed.

Exim specification, chapter "Format of spool files": the body is in `input/ID-D`, or in `input/X/ID-D` with
split_spool_directory, X being the id's sixth character, under the directory of its queue if it has a named one. The
first line is the file's own name. As seen with Exim 4.96: the file is complete when the DATA ACL runs, the lines end
in LF, and the dots that SMTP adds are gone, whether the body came by DATA or BDAT; with spool_wireformat the body of
a BDAT message has CRLF.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from eximacl.archive.errors import SpoolError
from eximacl.system import paths

# `$message_headers_raw` is silently cut there (header_insert_maxlen, a constant of Exim's).
HEADERS_CUT_BYTES = 64 * 1024

# user_namespaces(7).
OVERFLOW_GID = Path("/proc/sys/kernel/overflowgid")
OVERFLOW_GID_USUAL = 65534

# Before 4.97: time, process, fraction of a second, in base 62; since then process and fraction are longer.
_ID = re.compile(r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})")
_SPLIT_AT = 5
_QUEUE = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.+=-]{0,99}")
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a FIFO in the file's place does not make us wait.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OWN_RECEIVED = re.compile(r"received[ \t]*:(?:[^\n]|\n[ \t])*(?:\n|\Z)", re.IGNORECASE)


def is_message_id(text: str) -> bool:
    """Whether this is a message id as Exim writes them, before 4.97 or since."""
    return _ID.fullmatch(text) is not None


def open_body(spool: str, message_id: str, queue: str = "") -> BinaryIO:
    """Open the body of the message that Exim is receiving, past the line with its name. The caller closes it.

    spool: `$spool_directory`. message_id: `$message_exim_id`. queue: `$queue_name`, empty for the usual one.
    Raises SpoolError.
    """
    if not is_message_id(message_id):
        raise SpoolError(f"id: {message_id!r} is not a message id of Exim's; send id=$message_exim_id")
    if not spool.startswith("/") or "\0" in spool:
        raise SpoolError(f"spool: {spool!r} is not an absolute path; send spool=$spool_directory")
    if queue and not _QUEUE.fullmatch(queue):
        raise SpoolError(f"queue: {queue!r} cannot be the name of a queue; send queue=$queue_name")
    name = f"{message_id}-D"
    parts = [queue, "input"] if queue else ["input"]
    with _directory(spool, parts) as directory:
        fd = _open_file(directory, name, "/".join((spool, *parts)))
    try:
        _check(fd, name, "/".join((spool, *parts, name)))
        return os.fdopen(fd, "rb", buffering=0)
    except BaseException:
        os.close(fd)
        raise


def refusal(spool: str) -> str:
    """Return why this process may not read the messages in a spool; empty where it may, or where there is no spool."""
    try:
        with _directory(spool, ["input"]) as directory:
            os.close(_open_file(directory, "nothere", f"{spool}/input"))
    except SpoolError as error:
        return str(error) if isinstance(error.__cause__, PermissionError) else ""
    return ""


def body_chunks(body: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the body in pieces of at most `size` bytes. Raises SpoolError."""
    try:
        while chunk := body.read(size):
            yield chunk
    except OSError as error:
        raise SpoolError(f"the spool cannot be read: {error.strerror}") from None


def message_headers(block: str, message_id: str) -> str:
    """Return the message's own headers out of `$message_headers_raw`, ending in a newline where there are any.

    When the DATA ACL runs, Exim has put its own `Received:` before them, as it does with each message. It is recognised
    by the message id, which no client can foresee. Raises SpoolError for a block that Exim has cut.
    """
    if len(block.encode("utf-8", "surrogateescape")) >= HEADERS_CUT_BYTES:
        raise SpoolError(
            f"the headers have {HEADERS_CUT_BYTES} bytes or more, and Exim's $message_headers_raw ends there; "
            "a message is archived whole or not at all (header_maxsize = 60K in Exim's configuration refuses such mail)"
        )
    own = _OWN_RECEIVED.match(block)
    if own and re.search(rf"(?<![0-9A-Za-z-]){re.escape(message_id)}(?![0-9A-Za-z-])", own[0]):
        block = block[own.end() :]
    return f"{block}\n" if block and not block.endswith("\n") else block


@contextlib.contextmanager
def _directory(spool: str, parts: list[str]) -> Iterator[int]:
    """Yield a descriptor of the directory `parts` below `spool`; only `spool` itself may be a symbolic link."""
    fd, path = -1, spool
    try:
        try:
            fd = os.open(spool, _DIRECTORY)
            for part in parts:
                path = f"{path}/{part}"
                below = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
                os.close(fd)
                fd = below
        except OSError as error:
            raise _unreadable(error, fd, path) from error
        yield fd
    finally:
        if fd >= 0:
            os.close(fd)


def _open_file(directory: int, name: str, path: str) -> int:
    """Open the file `name` in `directory` or in its part of a split one."""
    try:
        return os.open(name, _FILE, dir_fd=directory)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unreadable(error, directory, f"{path}/{name}") from error
    part = name[_SPLIT_AT]
    try:
        below = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
    except FileNotFoundError:
        raise SpoolError(_missing(path, name)) from None
    except OSError as error:
        raise _unreadable(error, directory, f"{path}/{part}") from None
    try:
        return os.open(name, _FILE, dir_fd=below)
    except FileNotFoundError:
        raise SpoolError(_missing(path, name)) from None
    except OSError as error:
        raise _unreadable(error, below, f"{path}/{part}/{name}") from None
    finally:
        os.close(below)


def _missing(path: str, name: str) -> str:
    return f"{path} holds no {name}: the daemon must run on the same machine as Exim and see the same {path}"


def _unreadable(error: OSError, directory: int, path: str) -> SpoolError:
    """Explain why `path`, the next step below the descriptor `directory`, could not be opened."""
    if error.errno not in (errno.EACCES, errno.EPERM):
        return SpoolError(f"{path}: {error.strerror}; it must be a part of Exim's spool, and not a symbolic link")
    gid = _gid(directory, path.rpartition("/")[2])
    if gid == _overflow_gid():
        cure = (
            "the daemon must be in that file's group, which systemd's PrivateUsers hides from it: install "
            f"{paths.ARCHIVE_UNIT_PART} as /etc/systemd/system/eximacl.service.d/archive.conf, then "
            "systemctl daemon-reload && systemctl restart eximacl"
        )
    else:
        cure = f"add the daemon's user to the group {_group(gid)} (usermod -aG), and restart the daemon"
    return SpoolError(f"{path} cannot be read: {cure}")


def _gid(directory: int, name: str) -> int:
    """Return the group that may go on: that of the file, or of the directory that hides it; -1 where none is seen."""
    if directory < 0:
        return -1
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_gid
    except OSError:
        return os.fstat(directory).st_gid


def _overflow_gid() -> int:
    """Return the id that the kernel shows for a group that is not in this process's user namespace."""
    try:
        return int(OVERFLOW_GID.read_text())
    except (OSError, ValueError):
        return OVERFLOW_GID_USUAL


def _group(gid: int) -> str:
    if gid < 0:
        return "of Exim's spool"
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _check(fd: int, name: str, path: str) -> None:
    """Read past the line with the file's name. Raises SpoolError where there is none, or this is not a file."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise SpoolError(f"{path} is not a regular file; it must be a part of Exim's spool")
    expected = f"{name}\n".encode("ascii")
    try:
        found = os.read(fd, len(expected))
    except OSError as error:
        raise SpoolError(f"{path} cannot be read: {error.strerror}") from None
    if found != expected:
        raise SpoolError(f"{path} does not begin with its own name, as the files in Exim's spool do")
