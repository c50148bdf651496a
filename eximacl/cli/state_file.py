"""Opening the state file from a command. Rule: no file is made, none is taken from the daemon, and none is given to it.

A file that root made would lock the daemon out. And root writes below a directory of somebody who answers the whole
world: a link there could lead to any file. So root refuses a link, and works as the owner of the directory, who could
have written it, too.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from eximacl.cli import exits
from eximacl.cli.options import Failure, find_value
from eximacl.policy.state import StateError
from eximacl.state import SqliteState, file_of
from eximacl.system import paths

F = TypeVar("F", bound=Callable[..., Any])

RIGHTS = "run this as root or as the daemon's user"


def state_option(function: F) -> F:
    """Add --state; without it the policy file names the state."""
    return click.option(
        "--state",
        "state_path",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The state file.  [default: the policy file's state.url]",
    )(function)


@contextlib.contextmanager
def open_statefile(config_path: Path, given: Path | None) -> Iterator[SqliteState | None]:
    """Open `given`, or the policy's state file; None where there is none yet. What goes wrong is a Failure."""
    path = given or statefile_of(config_path)
    try:
        try:
            found, directory = path.lstat(), path.parent.stat()
            _refuse_foreign(path, found, directory)
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            yield None
            return
        with _as_owner(directory):
            if not _may(path, os.R_OK | os.W_OK) or not _may(path.parent, os.W_OK | os.X_OK):
                raise Failure(f"{path}: permission denied: {RIGHTS}", exits.IO_ERROR)
            with contextlib.closing(SqliteState(path)) as state:
                yield state
    except PermissionError:
        raise Failure(f"{path}: permission denied: {RIGHTS}", exits.IO_ERROR) from None
    except StateError as error:
        raise Failure(str(error), exits.IO_ERROR) from None


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=True)


def _refuse_foreign(path: Path, found: os.stat_result, directory: os.stat_result) -> None:
    """Refuse, as root, what another user may have put in the place of the state file."""
    others = directory.st_uid != 0 or directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if os.geteuid() != 0 or not others:
        return
    if stat.S_ISLNK(found.st_mode):
        raise Failure(
            f"{path} is a symbolic link, and others than root may write in its directory: it is not followed; "
            "delete it, or name the file itself with --state",
            exits.IO_ERROR,
        )
    if directory.st_uid not in (0, found.st_uid):
        raise Failure(
            f"{path} belongs to {_name(found.st_uid)}, but its directory to {_name(directory.st_uid)}: it is not used; "
            f"if it is the daemon's state, chown {_name(directory.st_uid)} {path}",
            exits.IO_ERROR,
        )


@contextlib.contextmanager
def _as_owner(directory: os.stat_result) -> Iterator[None]:
    """Work with the rights of the directory's owner where root asks: between a look and an open much can change."""
    if os.geteuid() != 0 or directory.st_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(directory.st_gid)
    os.seteuid(directory.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def statefile_of(config_path: Path) -> Path:
    """Return the file that the policy file's state.url names, or fail."""
    found = find_value(config_path, "state", "url", paths.STATE, "--state")
    url = paths.STATE_URL if found is None else found
    try:
        path = file_of(url)
    except ValueError as error:
        raise Failure(f"{config_path}: state.url: {error}", exits.CONFIG) from None
    if path is None:
        raise Failure(
            f"{config_path}: state.url is {url}, and nobody but the daemon sees that; set it to sqlite:PATH",
            exits.CONFIG,
        )
    return config_path.absolute().parent / path
