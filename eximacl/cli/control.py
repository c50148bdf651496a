"""`eximacl reload` and `eximacl status`: talk to the running daemon over its socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from eximacl.cli import exits
from eximacl.cli.common import (
    Failure,
    ask_daemon,
    config_option,
    find_socket,
    json_option,
    print_json,
    printable,
    socket_option,
)
from eximacl.wire import CONTROL, format_query


@click.command()
@config_option
@socket_option
@json_option
def reload(config_path: Path, socket_path: Path | None, as_json: bool) -> int:
    """Make the daemon read its policy anew; a wrong one is refused, and the old one stays.

    \b
    eximacl config test && eximacl reload
    """
    answer = _control("reload", config_path, socket_path)
    if as_json:
        print_json(answer)
    elif answer["problems"]:
        lines = "\n".join(answer["problems"])
        raise Failure(f"the new policy is wrong, the old one stays:\n{lines}", exits.CONFIG)
    else:
        click.echo("\n".join(("reloaded", *answer["notes"])))
    return exits.CONFIG if answer["problems"] else 0


@click.command()
@config_option
@socket_option
@json_option
def status(config_path: Path, socket_path: Path | None, as_json: bool) -> int:
    """Show whether the daemon runs, since when, and what it has answered.

    \b
    eximacl status
    eximacl status --json | jq .counts
    """
    answer = _control("status", config_path, socket_path)
    if as_json:
        print_json(answer)
        return 0
    answer["uptime"] = f"{answer['uptime']:.0f} s"
    for name, value in answer.items():
        click.echo(f"{name:<10} {_flat(value) or 'none'}")
    return 0


def _control(word: str, config_path: Path, socket_path: Path | None) -> dict[str, Any]:
    reply = ask_daemon(find_socket(socket_path, config_path), format_query(CONTROL, {"do": word}))
    try:
        answer: dict[str, Any] = json.loads(reply.extra["answer"])
    except (KeyError, ValueError):
        raise Failure("the daemon's answer cannot be read: is it of another version?", exits.UNAVAILABLE) from None
    return answer


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name} {_flat(each)}" for name, each in value.items())
    return printable("; ".join(value) if isinstance(value, list) else str(value))
