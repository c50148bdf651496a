"""What commands share: the options --config, --socket, --journal and --json, and errors with an exit status."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from eximacl.cli import exits
from eximacl.cli.output import Style, has_colour, paint
from eximacl.config import ConfigError, Loaded, load
from eximacl.config.peek import (
    NoPolicyFile,
    PeekError,
    PolicyDenied,
    default_setting,
    has_unknown_names,
    is_set,
    read_setting,
)
from eximacl.mail.lists import Domains
from eximacl.system import paths
from eximacl.system.text import as_json, printable

F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """An error for people: a text for stderr, and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it, in colour where there is some."""
        stream = file or sys.stderr
        click.echo(f"{paint('Error:', Style.BAD, stream)} {self.message}", file=stream, color=has_colour(stream))


def config_option(function: F) -> F:
    """Add --config, with EXIMACL_CONFIG as its environment variable."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False, readable=False),
        default=paths.CONFIG,
        envvar="EXIMACL_CONFIG",
        show_default=True,
        show_envvar=True,
        help="The policy file.",
    )(function)


def socket_option(function: F) -> F:
    """Add --socket; without it the policy file names the socket."""
    return click.option(
        "--socket",
        "socket_path",
        type=click.Path(path_type=Path),
        envvar="EXIMACL_SOCKET",
        show_envvar=True,
        help=f"The daemon's socket.  [default: the policy file's, else {paths.SOCKET}]",
    )(function)


def directory_given(_context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Return the directory that an option names, which need not exist. Raises UsageError for a file."""
    if path is not None:
        with contextlib.suppress(OSError):
            if path.is_file():
                raise click.UsageError(f"{parameter.opts[0]}: {path} is a file, not a directory")
    return path


def journal_option(function: F) -> F:
    """Add --journal; without it the policy file names the journal."""
    return click.option(
        "--journal",
        "directory",
        type=click.Path(path_type=Path, readable=False),
        callback=directory_given,
        metavar="DIR",
        help="The journal's directory.  [default: the policy file's]",
    )(function)


def json_option(function: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(function)


def load_config(path: Path) -> Loaded:
    """Load the policy file, or fail with all of its problems."""
    try:
        return load(path)
    except ConfigError as error:
        problems = "\n".join(str(problem) for problem in error.problems)
        raise Failure(f"the configuration is wrong:\n{problems}", exits.CONFIG) from None


def find_socket(socket_path: Path | None, config_path: Path) -> Path:
    """Return --socket, or the socket that the policy file names. Raises Failure."""
    found = socket_path or find_path(config_path, "server", "socket", "--socket")
    assert found is not None, "server.socket is never empty"
    return found


def journal_of(config_path: Path, directory: Path | None) -> Path:
    """Return --journal, or the directory that the policy file names. Raises Failure where there is none."""
    journal = directory or find_path(config_path, "journal", "dir", "--journal")
    if journal is None:
        raise Failure(f"{config_path}: journal.dir is empty, so no decision is recorded", exits.CONFIG)
    return journal


def find_path(config_path: Path, table: str, key: str, instead: str) -> Path | None:
    """Return one path that the policy file names, or its default; None where it is set to nothing. Raises Failure.

    instead: the option that names the path, too. Where the policy file may not be read, the default is taken if it
    exists; where it is wrong, the message names the default that exists.
    """
    found: Path | None = find_value(config_path, table, key, default_setting(table, key), instead)
    return found


def find_value(config_path: Path, table: str, key: str, default: Path | None, instead: str) -> Any:
    """Return one setting of the policy file, or its default. Raises Failure.

    Only that one setting is read: no other mistake in the policy may keep anyone from the running daemon. default: the
    path that the default names. instead: the option that names the setting, too.
    """
    try:
        found = read_setting(config_path, table, key)
        if not is_set(config_path, table, key) and has_unknown_names(config_path):
            shown = printable(str(found)) if found else "nothing"
            click.echo(
                f"Note: {config_path} has errors; {table}.{key} is taken to be {shown}; see `eximacl config test`",
                err=True,
            )
        return found
    except NoPolicyFile as error:
        if config_path != paths.CONFIG:
            raise Failure(f"{error}; --config or EXIMACL_CONFIG names it", exits.CONFIG) from None
        if default:
            return default_setting(table, key)
        text = f"{error}: name the policy file with --config, or give the path with {instead}"
        raise Failure(text, exits.CONFIG) from None
    except PolicyDenied as error:
        if default and os.access(default, os.F_OK):
            return default_setting(table, key)
        raise Failure(f"{error}; run this as root, or give the path with {instead}", exits.IO_ERROR) from None
    except PeekError as error:
        such = f" {default}" if default and os.access(default, os.F_OK) else ""
        text = f"{error}; see `eximacl config test`, or give the path with {instead}{such}"
        raise Failure(text, exits.CONFIG) from None


def policy_domains(config_path: Path) -> Domains:
    """Return policy.domains; nothing else has to be right in the policy. Raises ValueError."""
    try:
        return read_setting(config_path, "policy", "domains") or Domains()
    except PeekError as error:
        raise ValueError(error) from None


def print_json(value: Any) -> None:
    """Print one JSON value on one line, with nothing in it that a terminal would obey (see `as_json`)."""
    click.echo(as_json(value))
