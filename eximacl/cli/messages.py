"""What the commands on the archive share: where it is, and how its messages are shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from eximacl.archive import Envelope, Message
from eximacl.archive.content import SHOWN_BYTES, Shown
from eximacl.archive.errors import reason_of
from eximacl.archive.index import copies_of, entered
from eximacl.cli import exits
from eximacl.cli.errors import explained
from eximacl.cli.filters import reference_of
from eximacl.cli.options import Failure, directory_given, find_path
from eximacl.cli.output import Column, Table, printable_lines, sampled, size, terminal_width, write_line, write_object
from eximacl.system.text import printable
from eximacl.system.times import local, zone_names, zoned

F = TypeVar("F", bound=Callable[..., Any])

ALTERED = "is not what was received: its SHA-256 differs from the envelope's"


def _from(get: Callable[[Envelope], str]) -> Callable[[Message], str]:
    return lambda message: "?" if message.envelope is None else get(message.envelope)


def _released(envelope: Envelope) -> str:
    states = {note.state for note in envelope.released}
    return "yes" if "sent" in states else "perhaps" if states else ""


COLUMNS = (
    Column[Message](f"TIME ({zone_names()})", lambda message: local(message.time), 19, 19, 0),
    Column[Message]("REF", _from(lambda envelope: envelope.ref), 8, 8, 1),
    Column[Message]("RELEASED", _from(_released), 8, 8, 4),
    Column[Message]("SIZE", _from(lambda envelope: size(envelope.size)), 6, 6, 7),
    Column[Message]("CHECK", _from(lambda envelope: envelope.reason), 10, 17, 6),
    Column[Message]("IP", _from(lambda envelope: envelope.ip), 15, 15, 8),
    Column[Message]("FROM", _from(lambda envelope: f"<{envelope.sender}>"), 14, 30, 3),
    Column[Message]("RECIPIENT", _from(lambda envelope: ", ".join(envelope.recipients)), 17, 30, 2),
    Column[Message]("SUBJECT", _from(lambda envelope: envelope.subject), 14, 60, 5),
)


def archive_option(function: F) -> F:
    """Add --archive; without it the policy file names the archive."""
    return click.option(
        "--archive",
        "directory",
        type=click.Path(path_type=Path, readable=False),
        callback=directory_given,
        metavar="DIR",
        help="The archive's directory.  [default: the policy file's]",
    )(function)


def archive_of(directory: Path | None, config_path: Path) -> Path:
    """Return --archive, or the archive that the policy file names. Raises Failure."""
    root = directory or find_path(config_path, "archive", "dir", "--archive")
    if root is None:
        raise Failure(f"{config_path}: archive.dir is empty, so nothing is archived", exits.CONFIG)
    try:
        there = root.is_dir()
    except PermissionError as error:
        raise Failure(f"{root}: {reason_of(error)}", exits.IO_ERROR) from None
    if not there:
        raise Failure(f"{root} does not exist: has anything been held yet?", exits.IO_ERROR)
    return root


def journal_if_any(config_path: Path) -> Path | None:
    """Return the journal that the policy file names; None where there is none, or it cannot be told."""
    try:
        return find_path(config_path, "journal", "dir", "--journal")
    except Failure:
        return None


def copies_at(ref: str, directory: Path | None, config_path: Path) -> list[Message]:
    """Return the copies of the message with a reference as it was typed, at least one. Raises Failure."""
    reference = reference_of(ref)
    root, journal = archive_of(directory, config_path), journal_if_any(config_path)
    with explained(), entered(root):
        return copies_of(root, reference, journal)


def print_messages(messages: Iterable[Message], as_json: bool) -> int:
    """Print messages as a table or as JSON, each as it comes; return how many there were."""
    sample, messages = ((), messages) if as_json else sampled(messages)
    table = Table(COLUMNS, terminal_width(), sample)
    count = 0
    for count, message in enumerate(messages, 1):
        if as_json:
            write_object(message.as_dict())
            continue
        if count == 1:
            write_line(table.head())
        write_line(table.row(message))
        if message.problem:
            click.echo(printable(message.problem), err=True)
    sys.stdout.flush()
    return count


def print_message(copies: Sequence[Message], shown: Shown) -> None:
    """Print a message for a person: its envelopes, its headers, its text, and what is attached."""
    for copy in copies:
        _print_envelope(copy)
    if shown.altered:
        write_line(f"[{copies[0].path} {ALTERED}]")
        write_line("")
    for name, value in shown.view.headers:
        write_line(f"{printable(name)}: {printable(value)}")
    write_line("")
    if shown.view.html:
        write_line("[There is only HTML; this is its text without the tags.]")
    for line in printable_lines(shown.view.text):
        write_line(line)
    for note in _notes(shown):
        write_line(f"[{note}]")
    for part in shown.view.parts:
        how_large = "size unknown" if part.size is None else size(part.size)
        write_line(f"[attached: {printable(part.name) or 'without a name'}, {printable(part.type)}, {how_large}]")
    sys.stdout.flush()


def shown_as_dict(copies: Sequence[Message], shown: Shown) -> dict[str, Any]:
    """Return a message as JSON shows it, with all that `print_message` prints."""
    view = shown.view
    return {
        "copies": [copy.as_dict() for copy in copies],
        "changed": shown.altered,
        "headers": view.headers,
        "text": view.text,
        "html": view.html,
        "cut": view.cut,
        "parts": [part._asdict() for part in view.parts],
    }


def _print_envelope(copy: Message) -> None:
    envelope = copy.envelope
    if envelope is None:
        click.echo(printable(copy.problem), err=True)
        return
    write_line(f"{envelope.ref}   {zoned(envelope.time)}   {size(envelope.size)}   {copy.path}")
    fields = {
        "from": f"<{envelope.sender}>",
        "to": ", ".join(envelope.recipients),
        "client": f"{envelope.ip} ({envelope.host or 'no reverse name'}), HELO {envelope.helo}",
        "held by": f"{envelope.check} ({envelope.reason}): {envelope.sentence}",
    }
    for name, text in fields.items():
        write_line(f"  {name + ':':<9} {printable(text)}")
    for note in envelope.released:
        what = f"{zoned(note.time)} to {printable(', '.join(note.recipients))} by {printable(note.by)}"
        write_line(f"  {'released:':<9} {what}{'' if note.state == 'sent' else ' (perhaps: it was interrupted)'}")
    write_line("")


def _notes(shown: Shown) -> Iterator[str]:
    if shown.view.problem:
        yield shown.view.problem
    if shown.view.cut:
        yield f"{shown.view.cut} more characters; export shows all"
    if shown.rest:
        yield f"only the first {size(SHOWN_BYTES)} were looked at; export shows all"
