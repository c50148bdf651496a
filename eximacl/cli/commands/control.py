"""`eximacl reload` and `eximacl status`: talk to the running daemon over its socket.

Rule: root asks, and who answers may be anybody. So an answer is looked at before it is used, and what it says is shown
with nothing in it that a terminal would obey.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from eximacl.cli import exits
from eximacl.cli.options import (
    Failure,
    ask_daemon,
    config_option,
    find_socket,
    json_option,
    print_json,
    socket_option,
)
from eximacl.protocol.exim import CONTROL, format_query
from eximacl.system.text import printable

# A status has three levels: its lines, a table of figures, lists in it.
DEPTH_MAX = 6
# What the commands below use of an answer, and of which types that is.
RELOADED = {"problems": list, "notes": list}
STATUS = {"uptime": (int, float), "problems": list, "notes": list}


@click.command()
@config_option
@socket_option
@json_option
def reload(config_path: Path, socket_path: Path | None, as_json: bool) -> int:
    """Make the daemon read its policy anew; a wrong one is refused, and the old one stays.

    \b
    eximacl config test && eximacl reload
    """
    answer = _control("reload", RELOADED, config_path, socket_path)
    if as_json:
        print_json(answer)
    elif answer["problems"]:
        lines = "\n".join(map(printable, answer["problems"]))
        raise Failure(f"the new policy is wrong, the old one stays:\n{lines}", exits.CONFIG)
    else:
        click.echo("\n".join(("reloaded", *map(printable, answer["notes"]))))
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
    answer = _control("status", STATUS, config_path, socket_path)
    if as_json:
        print_json(answer)
        return 0
    # As text, since a number may be too large for a float, or none.
    answer["uptime"] = f"{str(answer['uptime']).partition('.')[0]} s"
    for name, value in answer.items():
        click.echo(f"{printable(name):<10} {_flat(value) or 'none'}")
    return 0


def _control(word: str, needed: Mapping[str, Any], config_path: Path, socket_path: Path | None) -> dict[str, Any]:
    """Ask for `word`; return an answer that has what is needed, or fail."""
    socket = find_socket(socket_path, config_path)
    reply = ask_daemon(socket, format_query(CONTROL, {"do": word}))
    try:
        answer = json.loads(reply.extra["answer"])
    except (KeyError, ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not _has_shape(answer, needed):
        raise Failure(
            f"{socket}: the daemon's answer cannot be read: is it of another version, or another program? "
            "Restart it: systemctl restart eximacl",
            exits.UNAVAILABLE,
        )
    return answer


def _has_shape(answer: dict[str, Any], needed: Mapping[str, Any]) -> bool:
    if not all(isinstance(answer.get(name), types) for name, types in needed.items()):
        return False
    texts = (text for name, types in needed.items() if types is list for text in answer[name])
    return all(isinstance(text, str) for text in texts) and _is_flat(answer, DEPTH_MAX)


def _is_flat(value: Any, depth: int) -> bool:
    """Whether nothing in it lies deeper than `depth`."""
    if not isinstance(value, dict | list):
        return True
    return depth > 0 and all(
        _is_flat(each, depth - 1) for each in (value.values() if isinstance(value, dict) else value)
    )


def _flat(value: Any) -> str:
    """Return a value on one line; of a table what is not empty."""
    if isinstance(value, dict):
        shown = ((name, _flat(each)) for name, each in value.items())
        return "  ".join(f"{printable(name)} {text}" for name, text in shown if text)
    if isinstance(value, list):
        return "; ".join(map(_flat, value))
    return printable(str(value))
