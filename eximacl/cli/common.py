"""What several commands share: the --config, --socket and --json options, and errors with their exit status."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from eximacl.cli import exits
from eximacl.client import DaemonError, ask
from eximacl.config import ConfigError, Loaded, Settings, load
from eximacl.model import Reply

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_CONFIG = Path("/etc/eximacl/eximacl.toml")
DEFAULT_SOCKET = Path("/run/eximacl/eximacl.sock")


class Failure(click.ClickException):
    """An error for people: a text on stderr, and an exit status of its own."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def config_option(function: F) -> F:
    """Add --config, with EXIMACL_CONFIG as its environment variable."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        default=DEFAULT_CONFIG,
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
        help=f"The daemon's socket.  [default: the policy file's, else {DEFAULT_SOCKET}]",
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


def load_settings(path: Path) -> Settings:
    """Return the settings of the policy file, or fail with all of its problems."""
    return load_config(path).settings


def find_socket(socket_path: Path | None, config_path: Path) -> Path:
    """Return --socket, or the socket that the policy file names, or the default one.

    Only that one value is read: a policy that is wrong elsewhere must not keep anybody from the running daemon.
    """
    if socket_path is not None:
        return socket_path
    try:
        table = tomllib.loads(config_path.read_text("utf-8")).get("server", {})
        return config_path.parent / str(table.get("socket", DEFAULT_SOCKET))
    except FileNotFoundError:
        if config_path == DEFAULT_CONFIG:
            return DEFAULT_SOCKET
        raise Failure(f"{config_path} does not exist: name the policy file with --config", exits.CONFIG) from None
    except PermissionError:
        return DEFAULT_SOCKET
    except (OSError, ValueError, AttributeError) as error:
        raise Failure(f"{config_path}: {error}; or name the socket with --socket", exits.CONFIG) from None


def ask_daemon(path: Path, line: bytes) -> Reply:
    """Ask the daemon, or fail with what to do. An `error` reply is a failure too."""
    try:
        reply = ask(path, line)
    except DaemonError as error:
        raise Failure(str(error), exits.UNAVAILABLE) from None
    if reply.verdict == "error":
        raise Failure(f"the daemon refused the query: {reply.reason}: {reply.message}", exits.UNAVAILABLE)
    return reply


def print_json(value: Any) -> None:
    """Print one JSON value on one line, with nothing in it that a terminal would obey."""
    click.echo(json.dumps(value))


def printable(text: str) -> str:
    """Return a text that is safe on a terminal: control characters and broken bytes as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
