"""Where the commands about the daemon's state put their requests: the running daemon, or the state itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from eximacl.cli import exits
from eximacl.cli.errors import explained
from eximacl.cli.options import Failure, config_option, find_socket, find_value, json_option, socket_option
from eximacl.daemon.state_requests import Source, StateRequest, daemon_source, state_source
from eximacl.policy.places import NOTE_CHARACTERS_MAX
from eximacl.protocol.client import NoDaemon
from eximacl.state import absolute_url
from eximacl.system import paths

F = TypeVar("F", bound=Callable[..., Any])


def source_options(function: F) -> F:
    """Add --json and what says where the state is: --config, --socket, --state."""
    state_option = click.option(
        "--state",
        "state_path",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Open this state file instead of asking the daemon.",
    )
    return json_option(config_option(socket_option(state_option(function))))


def _checked_note(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """Return a note that fits into the state. Raises UsageError."""
    if text is not None and len(text) > NOTE_CHARACTERS_MAX:
        raise click.UsageError(f"--note: a note has at most {NOTE_CHARACTERS_MAX} characters")
    return text


def note_option(function: F) -> F:
    """Add --note."""
    words = 'What the address is for, shown in the list; "" deletes it.'
    return click.option("--note", metavar="TEXT", callback=_checked_note, help=words)(function)


def find_source(
    requests: Mapping[str, StateRequest], config_path: Path, socket_path: Path | None, state_path: Path | None
) -> Source:
    """Return the running daemon, or the state where no daemon runs, or where --state names one.

    A daemon that --socket names must run: the state could be another daemon's. Raises Failure, NoDaemon.
    """
    if state_path:
        _check_state_file(state_path)
        return state_source(f"sqlite:{state_path}", requests)
    try:
        return daemon_source(find_socket(socket_path, config_path))
    except NoDaemon:
        if socket_path:
            raise
        url = find_value(config_path, "state", "url", paths.STATE, "--state")
        url = paths.STATE_URL if url is None else url
        return state_source(absolute_url(url, config_path.absolute().parent.joinpath), requests)


def _check_state_file(path: Path) -> None:
    """Raise Failure where there is no such file: a misspelt name must not look like an empty state."""
    try:
        path.stat()
    except FileNotFoundError:
        raise Failure(f"{path} does not exist", exits.IO_ERROR) from None
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", exits.IO_ERROR) from None


@contextlib.contextmanager
def source_failures() -> Iterator[None]:
    """Turn what may go wrong into a Failure."""
    try:
        with explained():
            yield
    except ValueError as error:
        raise Failure(f"state.url: {error}", exits.CONFIG) from None
