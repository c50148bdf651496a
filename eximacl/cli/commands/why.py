"""`eximacl why`: find a decision in the journal, with what followed from it, and tell how it came about."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.complete import logged
from eximacl.cli.filters import reference_of
from eximacl.cli.options import READERS, Failure, config_option, find_path, json_option, print_json
from eximacl.cli.trace import print_trace
from eximacl.protocol.exim import ProtocolError, parse_line
from eximacl.records.journal import Entry, find
from eximacl.system import paths
from eximacl.system.text import printable

# What the query says about the mail, in the order in which a person asks.
SHOWN = ("ip", "host", "helo", "from", "rcpt", "rcpts", "tx", "id")

F = TypeVar("F", bound=Callable[..., Any])


def journal_option(function: F) -> F:
    """Add --journal; without it the policy file names the journal."""
    return click.option(
        "--journal",
        "directory",
        type=click.Path(path_type=Path, file_okay=False, readable=False),
        help="The journal's directory.  [default: the policy file's]",
    )(function)


@click.command(cls=Command, section=Section.DECISIONS)
@click.argument("ref", shell_complete=logged("ref"))
@config_option
@journal_option
@json_option
def why(ref: str, config_path: Path, directory: Path | None, as_json: bool) -> int:
    """Explain why a message was refused, deferred or accepted.

    REF is the reference in the bounce, in Exim's log or in the rejection log: eight letters and digits.
    Where a recipient was held, what became of the message follows.

    \b
    Examples:
      eximacl why 7KQ2M9D4
      eximacl why --json 7KQ2M9D4 | jq .trace
      eximacl why --json 7KQ2M9D4 | jq '.later[].query.id'
    """
    found = entries_of(reference_of(ref), config_path, directory)
    if as_json:
        print_json(as_dict(*found))
    else:
        _print(*found)
    return 0


def entries_of(reference: str, config_path: Path, directory: Path | None) -> tuple[Entry, ...]:
    """Return the decisions with a (normalised) reference, the earliest first; at least one, or fail."""
    directory = find_journal(config_path, directory)
    with reading(directory):
        found = find(directory, reference)
    if not found:
        raise Failure(f"{reference} is not in {directory}: too old, or from another host", exits.NOT_FOUND)
    return found


def find_journal(config_path: Path, directory: Path | None) -> Path:
    """Return --journal, or the directory that the policy file names; or fail where there is none."""
    directory = directory or find_path(config_path, "journal", "dir", paths.JOURNAL, "--journal")
    if directory == config_path.parent:
        raise Failure(f"{config_path}: journal.dir is empty, so no decision is recorded", exits.CONFIG)
    with reading(directory):
        there = directory.is_dir()
    if not there:
        raise Failure(f"{directory} does not exist: has the daemon recorded anything yet?", exits.IO_ERROR)
    return directory


@contextlib.contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Make what cannot be read of a journal a Failure."""
    try:
        yield
    except OSError as error:
        whose = f"; {READERS}" if isinstance(error, PermissionError) else ""
        raise Failure(f"{error.filename or directory}: {error.strerror}{whose}", exits.IO_ERROR) from None


def as_dict(first: Entry, *later: Entry) -> dict[str, Any]:
    """Return a reference's entries as JSON shows them: the first one, with the others in its `later`."""
    return {**_as_dict(first), "later": [_as_dict(entry) for entry in later]}


def _as_dict(entry: Entry) -> dict[str, Any]:
    values = dataclasses.asdict(entry)
    del values["line"]
    return {**values, "trace": [line._asdict() for line in entry.trace], "query": query_of(entry)}


def query_of(entry: Entry) -> dict[str, str]:
    """Return the values that a query had, with its stage; none of one that is damaged."""
    try:
        stage, values = parse_line(entry.line)
    except ProtocolError:
        return {}
    return {"stage": stage, **values}


def _print(*entries: Entry) -> None:
    known: dict[str, str] = {}
    for number, entry in enumerate(entries):
        if number:
            click.echo()
        query = query_of(entry)
        _print_one(entry, query, {key: query[key] for key in SHOWN if key in query and query[key] != known.get(key)})
        known |= query


def _print_one(entry: Entry, query: dict[str, str], shown: dict[str, str]) -> None:
    """Print one entry, and of its query's values those that are `shown`."""
    when = datetime.fromtimestamp(entry.time).astimezone()
    click.echo(f"{entry.ref}   {when:%Y-%m-%d %H:%M:%S %Z}   at {query.get('stage', '?')}: {printable(entry.word)}")
    if entry.message:
        click.echo(f"  told:     {entry.code} {printable(entry.message)}")
    for key, value in shown.items():
        click.echo(f"  {key + ':':<9} {printable(value) or '(empty)'}")
    click.echo()
    print_trace(entry.trace, entry.questions, times=False)
