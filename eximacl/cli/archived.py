"""What the commands on the archive share: finding its messages, and showing them in a row or as JSON."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from eximacl.archive import ArchiveError, Envelope, Message, NoSuchMessage, damaged, find, messages
from eximacl.archive.envelope import format_envelope
from eximacl.archive.errors import reason_of
from eximacl.archive.layout import time_in
from eximacl.cli import exits
from eximacl.cli.options import Failure, find_path
from eximacl.cli.output import Column, size
from eximacl.records.journal import find as find_decisions
from eximacl.system import paths
from eximacl.system.times import local, zone_names

COPY_BYTES = 1024 * 1024

F = TypeVar("F", bound=Callable[..., Any])


def _from(get: Callable[[Envelope], str]) -> Callable[[Message], str]:
    return lambda message: "?" if message.envelope is None else get(message.envelope)


def _released(envelope: Envelope) -> str:
    states = {release.state for release in envelope.released}
    return "yes" if "sent" in states else "perhaps" if states else ""


COLUMNS = (
    Column[Message](f"TIME ({zone_names()})", lambda message: local(time_of_message(message)), 19, 19, 0),
    Column[Message]("REF", _from(lambda envelope: envelope.ref), 8, 8, 1),
    Column[Message]("RELEASED", _from(_released), 8, 8, 5),
    Column[Message]("SIZE", _from(lambda envelope: size(envelope.size)), 6, 6, 7),
    Column[Message]("CHECK", _from(lambda envelope: envelope.reason), 10, 17, 6),
    Column[Message]("IP", _from(lambda envelope: envelope.ip), 15, 15, 8),
    Column[Message]("FROM", _from(lambda envelope: f"<{envelope.sender}>"), 14, 30, 3),
    Column[Message]("RECIPIENT", _from(lambda envelope: ", ".join(envelope.recipients)), 17, 30, 2),
    Column[Message]("SUBJECT", _from(lambda envelope: envelope.subject), 14, 60, 4),
)


def archive_option(function: F) -> F:
    """Add --archive; without it the policy file names the archive."""
    return click.option(
        "--archive",
        "directory",
        type=click.Path(path_type=Path, file_okay=False, readable=False),
        metavar="DIR",
        help="The archive's directory.  [default: the policy file's]",
    )(function)


def archive_of(directory: Path | None, config_path: Path) -> Path:
    """Return --archive, or the archive that the policy file names, or fail."""
    root = directory or find_path(config_path, "archive", "dir", None, "--archive")
    if root == config_path.parent:
        raise Failure(f"{config_path}: archive.dir is empty, so nothing is archived", exits.CONFIG)
    try:
        there = root.is_dir()
    except PermissionError as error:
        raise Failure(f"{root}: {reason_of(error)}", exits.IO_ERROR) from None
    if not there:
        raise Failure(f"{root} does not exist: has anything been held yet?", exits.IO_ERROR)
    return root


def copies_of(root: Path, reference: str, config_path: Path) -> list[Message]:
    """Return the copies of the message with a reference, one for each domain; at least one, or fail.

    A message has the reference of its first held recipient; the journal knows which one those of the others are in.
    """
    with explained():
        copies = find(root, reference) or find(root, _message_of(reference, config_path))
        unreadable = [] if copies else damaged(root, reference)
    if copies:
        return copies
    text = (
        f"{reference} is not in {root}: refused without being held, purged, or held on another host"
        f" (eximacl log --ref {reference})"
    )
    if unreadable:
        text += "; or it is one of these, held at that time, of which only the envelope cannot be read:"
    raise Failure("\n".join((text, *(message.problem for message in unreadable))), exits.NOT_FOUND)


def _message_of(reference: str, config_path: Path) -> str:
    """Return the reference of the message in which a recipient was held; the recipient's own where nobody knows."""
    with contextlib.suppress(Failure, OSError):
        directory = find_path(config_path, "journal", "dir", paths.JOURNAL, "--journal")
        decisions = find_decisions(directory, reference) if directory != config_path.parent else ()
        return decisions[-1].ref if decisions else reference
    return reference


def as_dict(message: Message) -> dict[str, Any]:
    """Return a message as JSON shows it: its envelope, and where it is."""
    known = {} if message.envelope is None else json.loads(format_envelope(message.envelope))
    where = {"domain": message.day.domain.name, "path": str(message.path)}
    return {**known, **where, **({"problem": message.problem} if message.problem else {})}


def all_of(root: Path) -> Iterator[Message]:
    """Yield all messages, the oldest first, or fail."""
    with explained():
        yield from messages(root)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn what the archive raises into a failure."""
    try:
        yield
    except NoSuchMessage as error:
        raise Failure(str(error), exits.NOT_FOUND) from None
    except ArchiveError as error:
        raise Failure(str(error), exits.IO_ERROR) from None


def digest_of(file: BinaryIO) -> str:
    """Return the SHA-256 of a file from where it is read on, in hex, and go to its beginning."""
    digest = hashlib.sha256()
    while chunk := file.read(COPY_BYTES):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def time_of_message(message: Message) -> float:
    """Return when a message was held, in seconds since 1970; also where its envelope is damaged."""
    if message.envelope is not None:
        return message.envelope.time
    return float(time_in(message.name) or 0)


def size_of(message: Message) -> int:
    """Return the bytes of a message; 0 where its envelope is damaged."""
    return 0 if message.envelope is None else message.envelope.size
