"""`eximacl status`: what the running daemon says of itself, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from eximacl.cli.command import Command, Section
from eximacl.cli.errors import explained
from eximacl.cli.options import (
    config_option,
    find_socket,
    json_option,
    print_json,
    socket_option,
)
from eximacl.cli.output import Style, duration, fields, paint, plural, write_line
from eximacl.protocol.control import Status, read_status
from eximacl.system.text import printable
from eximacl.system.times import zoned

# The daemon's words for an answer, as a sentence has them.
ANSWERED = {"accept": "accepted", "reject": "rejected", "defer": "deferred", "hold": "held", "error": "errors"}


@click.command(cls=Command, section=Section.DAEMON)
@config_option
@socket_option
@json_option
def status(config_path: Path, socket_path: Path | None, as_json: bool) -> int:
    """Show how long the daemon has run, and what it has done.

    The JSON has more figures than the text.

    \b
    Examples:
      eximacl status
      eximacl status --json | jq .counts

    \b
    Exit status: 0 the daemon answered    69 it did not
    """
    with explained():
        found = read_status(find_socket(socket_path, config_path))
    if as_json:
        print_json(found)
        return 0
    for line in describe(found):
        write_line(line)
    return 0


def describe(found: Status) -> Iterator[str]:
    """Yield the lines that people read."""
    yield (
        f"eximacl {printable(found['version'])} has been running for {duration(found['uptime'])} (pid {found['pid']})."
    )
    yield ""
    yield from fields((printable(label), printable(text)) for label, text in _rows(found))
    yield ""
    problems = list(map(printable, found.get("problems", ())))
    if problems:
        yield paint(f"{plural(len(problems), 'problem')}:", Style.BAD)
        yield from (f"  {problem}" for problem in problems)
    else:
        yield paint("No problems.", Style.GOOD)
    yield from map(printable, found.get("notes", ()))


def _rows(found: Status) -> Iterator[tuple[str, str]]:
    """Yield a label and a text for each thing that the daemon has said; one of another version may say less."""
    yield "Policy", found["config"] + (f", loaded {zoned(found['loaded'])}" if "loaded" in found else "")
    if "counts" in found:
        yield "Queries", _queries(found["counts"])
    yield from (_record(name, record) for name, record in found.get("records", {}).items())
    if found.get("dns"):
        yield "DNS", _dns(found["dns"])


def _queries(counts: Mapping[str, int]) -> str:
    """Say how many were answered, and how; dry ones are counted beside the others."""
    answers = {word: count for word, count in counts.items() if word != "dry"}
    parts = (f"{count:,} {ANSWERED.get(word, word)}" for word, count in answers.items() if count)
    text = plural(sum(answers.values()), "answer")
    if any(answers.values()):
        text += f": {', '.join(parts)}"
    return f"{text}; {plural(counts['dry'], 'dry run')}" if counts.get("dry") else text


def _record(name: str, record: Mapping[str, int | str]) -> tuple[str, str]:
    text = str(record["path"])
    if record["waiting"]:
        text += f"; {record['waiting']:,} waiting to be written"
    if record["lost"]:
        text += f"; {record['lost']:,} lost since the daemon's start"
    return name.capitalize(), text


def _dns(figures: Mapping[str, Any]) -> str:
    """Say what a version of the daemon that counts such things has counted."""
    parts = []
    if "entries" in figures:
        parts.append(f"{figures['entries']:,} answers cached")
    if "questions" in figures:
        parts.append(plural(figures["questions"], "question sent", "questions sent"))
    if figures.get("servers"):
        parts.append(f"name servers: {', '.join(figures['servers'])}")
    return "; ".join(parts)
