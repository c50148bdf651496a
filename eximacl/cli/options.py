"""What several commands share: the --config, --socket and --json options, and errors with their exit status."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from eximacl.cli import exits
from eximacl.config import ConfigError, Loaded, load
from eximacl.config.problems import Refused
from eximacl.config.sources import SOURCE_BYTES_MAX, fill
from eximacl.mail.lists import Domains
from eximacl.protocol.client import DaemonError, ask
from eximacl.protocol.control import RequestRefused
from eximacl.protocol.exim import Reply
from eximacl.system import paths
from eximacl.system.files import read_regular
from eximacl.system.text import printable

F = TypeVar("F", bound=Callable[..., Any])

# Who may read what the daemon writes.
READERS = "run this as root or as a member of the daemon's group"

# Reasons of an `error` that say nothing about the query.
DAEMONS_OWN = ("late", "overload", "internal", "stopping")


class Failure(click.ClickException):
    """An error for people: a text for stderr, and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


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
    """Return --socket, or the socket that the policy file names, or the default one."""
    return socket_path or find_path(config_path, "server", "socket", paths.SOCKET, "--socket")


def find_path(config_path: Path, table: str, key: str, default: Path | None, instead: str) -> Path:
    """Return one path that the policy file names, or the default, or fail. `instead` is the option that names it, too.

    An empty path is the policy's directory, and so is one that is not there and has no default.
    """
    found = find_value(config_path, table, key, default, instead)
    if found is None and default is not None:
        return default
    return config_path.parent / (found or "")


def find_value(config_path: Path, table: str, key: str, default: Path | None, instead: str) -> str | None:
    """Return one text of the policy file as it stands there; None where it is not there, or the default must do.

    Only that one value is read: a policy that is wrong elsewhere must keep nobody from the running daemon. Where the
    file may not be read, the default is taken if it is there.
    """
    try:
        found = tomllib.loads(read_regular(config_path, SOURCE_BYTES_MAX).decode()).get(table, {}).get(key)
    except FileNotFoundError:
        if config_path != paths.CONFIG:
            raise Failure(f"{config_path} does not exist; --config or EXIMACL_CONFIG names it", exits.CONFIG) from None
        if default:
            return None
        text = f"{config_path} does not exist: name the policy file with --config, or give the path with {instead}"
        raise Failure(text, exits.CONFIG) from None
    except PermissionError as error:
        if default and os.access(default, os.F_OK):
            return None
        text = f"{config_path} cannot be read: {error.strerror}; run this as root, or give the path with {instead}"
        raise Failure(text, exits.IO_ERROR) from None
    except (OSError, ValueError, AttributeError) as error:
        text = f"{config_path}: {error}; see `eximacl config test`, or give the path with {instead}"
        raise Failure(text, exits.CONFIG) from None
    return None if found is None else str(found)


def policy_domains(config_path: Path) -> Domains:
    """Return policy.domains; only that one value is read, as the policy may be wrong, or its lists still to be written.

    Raises ValueError.
    """
    try:
        policy = tomllib.loads(read_regular(config_path, SOURCE_BYTES_MAX).decode()).get("policy", {})
        value = policy.get("domains", [])
        ours = Domains(value if isinstance(value, list) else ())
        if isinstance(value, str):
            fill(ours, config_path.parent / value, f"policy.domains: {value}")
    except OSError as error:
        raise ValueError(error.strerror) from None
    except (AttributeError, TypeError, Refused) as error:
        raise ValueError(error) from None
    return ours


def ask_daemon(path: Path, line: bytes) -> Reply:
    """Ask the daemon, or fail with what to do. An `error` reply is a failure too."""
    with daemon_failures():
        reply = ask(path, line)
        if reply.verdict == "error":
            raise RequestRefused(reply.reason, reply.message)
    return reply


@contextlib.contextmanager
def daemon_failures() -> Iterator[None]:
    """Turn what goes wrong when the daemon is asked into a Failure."""
    try:
        yield
    except RequestRefused as error:
        status = exits.UNAVAILABLE if error.reason in DAEMONS_OWN else exits.DATA
        raise Failure(f"the daemon refused the query: {error.reason}: {printable(str(error))}", status) from None
    except DaemonError as error:
        raise Failure(str(error), exits.UNAVAILABLE) from None


def print_json(value: Any) -> None:
    """Print one JSON value on one line, with nothing in it that a terminal would obey."""
    click.echo(json.dumps(value))


def ip_problem(ip: str) -> str:
    """Return what is wrong with an IP address as text; empty when nothing is."""
    try:
        ipaddress.ip_address(ip)
    except ValueError as error:
        return printable(str(error))
    return ""
