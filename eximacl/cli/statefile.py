"""Opening the state file from a command. Rule: no file is made, and none is taken from the daemon.

A file that root made would lock the daemon out. What comes into being beside a file, SQLite gives to its owner.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from eximacl.cli import exits
from eximacl.cli.common import DEFAULT_STATE, Failure, find_value, printable
from eximacl.state import open_state
from eximacl.verbs import State, StateError

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
def open_statefile(config_path: Path, given: Path | None) -> Iterator[State | None]:
    """Open `given`, or the policy's state file; None where there is none yet. What goes wrong is a Failure."""
    path = given or statefile_of(config_path)
    try:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            yield None
            return
        if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
            raise Failure(f"{path}: permission denied: {RIGHTS}", exits.IO_ERROR)
        with contextlib.closing(open_state(f"sqlite:{path}")) as state:
            yield state
    except PermissionError:
        raise Failure(f"{path}: permission denied: {RIGHTS}", exits.IO_ERROR) from None
    except StateError as error:
        raise Failure(str(error), exits.IO_ERROR) from None


def statefile_of(config_path: Path) -> Path:
    """Return the file that the policy file's state.url names, or fail."""
    found = find_value(config_path, "state", "url", Path(DEFAULT_STATE.removeprefix("sqlite:")), "--state")
    url = DEFAULT_STATE if found is None else found
    scheme, _, path = url.partition(":")
    if scheme == "memory":
        raise Failure(
            f"{config_path}: state.url is memory:, and nobody but the daemon sees that; set it to sqlite:PATH",
            exits.CONFIG,
        )
    if scheme != "sqlite" or not path or "\0" in path:
        raise Failure(f"{config_path}: state.url: expected sqlite:PATH or memory:, got {printable(url)}", exits.CONFIG)
    return config_path.absolute().parent / path
