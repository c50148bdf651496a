"""`eximacl archive`: list, show, export, release and purge what was held."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from eximacl.archive import ArchiveError, Message, NoSuchMessage, delete, locked, open_message, purge
from eximacl.archive.layout import safe_name
from eximacl.cli import exits
from eximacl.cli.archived import (
    COLUMNS,
    COPY_BYTES,
    all_of,
    archive_of,
    archive_option,
    as_dict,
    copies_of,
    digest_of,
    explained,
    size_of,
    time_of_message,
)
from eximacl.cli.command import Group, Section
from eximacl.cli.commands.release import release
from eximacl.cli.complete import archived_reference
from eximacl.cli.filters import filter_options, last_option, reference_of, wanted_of
from eximacl.cli.options import Failure, config_option, json_option, print_json
from eximacl.cli.output import Table, printable_lines, size, terminal_width, write_line, write_object
from eximacl.mail.lists import Domains
from eximacl.mail.view import View, view
from eximacl.records.search import Entry, Wanted
from eximacl.system.text import printable
from eximacl.system.times import local, parse_span

# Enough for every text; what follows in a message this long are attachments.
SHOWN_BYTES = 20 * 1024 * 1024
# As many as a person looks through before saying yes.
ASKED_MAX = 20
# Before when, which reference, which domains, and whether only what was released.
Doom = tuple[float | None, str | None, Domains | None, bool]
CHANGED = "is not what was received: its SHA-256 differs from the envelope's"


# What people type first, and what is next to it in spelling may be `release`.
ALIASES = {name: f"archive {command}" for name, command in (("delete", "purge"), ("remove", "purge"), ("rm", "purge"))}


@click.group(cls=Group, section=Section.CORRECTIONS, aliases=ALIASES)
def archive() -> None:
    """List, show, export, release and purge held messages.

    \b
    Examples:
      eximacl archive list --recipient steve@example.org --since 3d
      eximacl archive show 7KQ2M9D4
      eximacl archive release 7KQ2M9D4
    """


@archive.command("list")
@filter_options
@last_option
@json_option
@config_option
@archive_option
def list_command(
    last: int | None, as_json: bool, config_path: Path, directory: Path | None, **given: str | None
) -> int:
    """List held messages, the newest last. All conditions must hold.

    \b
    Examples:
      eximacl archive list --domain example.org --since 3d
      eximacl archive list --json | jq -r .ref

    Exit status: 0 when something was found, 66 when nothing was.
    """
    wanted = wanted_of(given)
    readable = wanted_of({name: given[name] for name in ("domain", "since", "until")})
    root = archive_of(directory, config_path)
    table = Table(COLUMNS, terminal_width())
    count = 0
    found = _covered(all_of(root), wanted, readable)
    for message in found if last is None else deque(found, last):
        count += 1
        if as_json:
            write_object(as_dict(message))
            continue
        if count == 1:
            write_line(table.head())
        write_line(table.row(message))
        if message.problem:
            click.echo(printable(message.problem), err=True)
    sys.stdout.flush()
    if not count:
        click.echo("Nothing was found.", err=True)
    return 0 if count else exits.NOT_FOUND


@archive.command()
@click.argument("ref", shell_complete=archived_reference)
@json_option
@config_option
@archive_option
def show(ref: str, as_json: bool, config_path: Path, directory: Path | None) -> int:
    """Show a held message and why it was held.

    Its headers, its text, and a list of what is attached.

    \b
    Examples:
      eximacl archive show 7KQ2M9D4
    """
    reference = reference_of(ref)
    copies = copies_of(archive_of(directory, config_path), reference, config_path)
    with explained(), open_message(copies[0]) as file:
        altered = changed(file, copies[0])
        data = file.read(SHOWN_BYTES)
        rest = len(file.read(1)) > 0
    seen = view(data)
    if as_json:
        print_json({"copies": [as_dict(copy) for copy in copies], "changed": altered, **_view_dict(seen)})
        return 0
    for copy in copies:
        _print_envelope(copy)
    if altered:
        write_line(f"[{copies[0].path} {CHANGED}]")
        write_line("")
    for name, value in seen.headers:
        write_line(f"{printable(name)}: {printable(value)}")
    write_line("")
    if seen.html:
        write_line("[There is only HTML; this is its text without the tags.]")
    for line in printable_lines(seen.text):
        write_line(line)
    for note in _notes(seen, rest):
        write_line(f"[{note}]")
    for part in seen.parts:
        shown = "size unknown" if part.size is None else size(part.size)
        write_line(f"[attached: {printable(part.name) or 'without a name'}, {printable(part.type)}, {shown}]")
    sys.stdout.flush()
    return 0


@archive.command()
@click.argument("ref", shell_complete=archived_reference)
@click.option(
    "--output", type=click.Path(path_type=Path, allow_dash=True), default="-", metavar="FILE",
    help="Write to FILE, which must not be there yet, instead of standard output.",
)  # fmt: skip
@config_option
@archive_option
def export(ref: str, output: Path, config_path: Path, directory: Path | None) -> int:
    """Write a held message to a file, byte for byte.

    \b
    Examples:
      eximacl archive export 7KQ2M9D4 --output wrong.eml
      eximacl archive export 7KQ2M9D4 | spamassassin -t
    """
    reference = reference_of(ref)
    message = copies_of(archive_of(directory, config_path), reference, config_path)[0]
    with explained(), open_message(message) as file:
        if changed(file, message):
            click.echo(f"{message.path} {CHANGED}", err=True)
        if str(output) != "-":
            _write_new(output, file)
            return 0
        if sys.stdout.isatty():
            raise Failure(
                "a message may hold what a terminal obeys: use --output FILE, a pipe, or `eximacl archive show`",
                exits.USAGE,
            )
        shutil.copyfileobj(file, sys.stdout.buffer, COPY_BYTES)
        sys.stdout.buffer.flush()
    return 0


def _write_new(path: Path, source: BinaryIO) -> None:
    """Write a file that only its owner may read. Where it cannot be written whole, none is left."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Failure(f"{path} is there already; it stays as it is", exits.IO_ERROR) from None
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", exits.IO_ERROR) from None
    try:
        with os.fdopen(fd, "wb") as target:
            shutil.copyfileobj(source, target, COPY_BYTES)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise Failure(f"{path}: {error.strerror}; it was deleted again", exits.IO_ERROR) from None
        raise


def changed(file: BinaryIO, message: Message) -> bool:
    """Whether a message is another than was received, by the SHA-256 in its envelope."""
    return digest_of(file) != (message.envelope.sha256 if message.envelope else "")


@archive.command("purge")
@click.option("--older-than", "older", metavar="SPAN", help="Messages held longer ago than this: 30d, 12h.")
@click.option("--ref", metavar="REF", shell_complete=archived_reference, help="The message with this reference.")
@click.option("--domain", metavar="DOMAIN", help="Messages to this domain; with a dot before it: all below it.")
@click.option("--released", is_flag=True, help="Messages that were released.")
@click.option("--dry-run", is_flag=True, help="Only print what would be deleted.")
@click.option("--yes", is_flag=True, help="Assume yes.")
@json_option
@config_option
@archive_option
def purge_command(
    older: str | None,
    ref: str | None,
    domain: str | None,
    released: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    config_path: Path,
    directory: Path | None,
) -> int:
    """Delete held messages for good. All conditions must hold.

    \b
    Examples:
      eximacl archive purge --older-than 30d
      eximacl archive purge --ref 7KQ2M9D4 --yes
      eximacl archive purge --domain example.org --older-than 7d --dry-run

    Exit status: 0 when something was deleted (or would be, or you said no), 66 when there is nothing to delete, 74 when
    something could not be deleted.
    """
    doom = _doom(older, ref, domain, released)
    root = archive_of(directory, config_path)
    doomed = [message for message in all_of(root) if _is_doomed(message, *doom)]
    if not doomed:
        click.echo("There is nothing to delete.", err=True)
        return exits.NOT_FOUND
    told = _counted(doomed)
    if dry_run:
        _print_doomed(doomed, as_json, f"{told} would be deleted.")
        return 0
    if not yes:
        if not sys.stdin.isatty():
            raise Failure(f"{told} would be deleted: confirm with --yes", exits.USAGE)
        _print_doomed(
            doomed[:ASKED_MAX], False, "" if len(doomed) <= ASKED_MAX else f"… and {len(doomed) - ASKED_MAX} more"
        )
        if not click.confirm(f"Delete {told}?", err=True):
            click.echo("Nothing was deleted.", err=True)
            return 0
    deleted, problems = _delete_all(doomed, root)
    _print_doomed(deleted if as_json else [], as_json, f"{_counted(deleted)}: deleted.")
    for problem in problems:
        click.echo(f"Error: {printable(problem)}", err=True)
    return exits.IO_ERROR if problems else 0


def _counted(found: Sequence[Message]) -> str:
    return f"{len(found)} message{'' if len(found) == 1 else 's'}, {size(sum(map(size_of, found)))}"


def _delete_all(doomed: Iterable[Message], root: Path) -> tuple[list[Message], list[str]]:
    """Delete what can be deleted; return that, and what is wrong with the others."""
    deleted, problems = [], []
    for message in doomed:
        try:
            _delete(message)
            deleted.append(message)
        except ArchiveError as error:
            problems.append(str(error))
    with explained():
        # Days that are empty now go, too; by age and size nothing.
        problems += purge(root, keep_days=0, keep_mb=0, now=time.time()).problems
    return deleted, problems


archive.add_command(release)


def _covered(found: Iterable[Message], wanted: Wanted, readable: Wanted) -> Iterator[Message]:
    """Yield the messages that are wanted. Of the others, tell those that cannot be compared, and are `readable`'s."""
    for message in found:
        if _covers(wanted, message):
            yield message
        elif message.problem and _covers(readable, message):
            click.echo(f"Not compared: {printable(message.problem)}", err=True)


def _covers(wanted: Wanted, message: Message) -> bool:
    """Whether a message is wanted; its check may be named by the slug, or by the check's own name."""
    envelope = message.envelope
    entry: Entry = {
        "time": datetime.fromtimestamp(time_of_message(message), UTC).isoformat(),
        "domain": message.day.domain.name,
    }
    if envelope is None:
        return wanted.covers(entry)
    entry.update(
        {"ref": envelope.ref, "from": f"<{envelope.sender}>", "recipient": ", ".join(envelope.recipients)},
        ip=envelope.ip,
    )
    slugs = (envelope.reason, envelope.check.replace("_", "-"))
    return any(wanted.covers({**entry, "check": slug}) for slug in slugs)


def _doom(older: str | None, ref: str | None, domain: str | None, released: bool) -> Doom:
    """Return what is to be deleted. Raises UsageError, Failure."""
    if older is None and ref is None and domain is None and not released:
        raise click.UsageError("say what: --older-than SPAN, --ref REF, --domain DOMAIN or --released")
    try:
        before = None if older is None else time.time() - parse_span(older)
    except ValueError as error:
        raise click.UsageError(f"--older-than: {error}") from None
    try:
        domains = None if domain is None else Domains([domain])
    except ValueError as error:
        raise click.UsageError(f"--domain: {error}") from None
    return before, None if ref is None else reference_of(ref), domains, released


def _is_doomed(
    message: Message, before: float | None, ref: str | None, domains: Domains | None, released: bool
) -> bool:
    envelope = message.envelope
    if released and (envelope is None or all(one.state != "sent" for one in envelope.released)):
        return False
    if before is not None and time_of_message(message) >= before:
        return False
    if ref is not None and (envelope is None or envelope.ref != ref):
        return False
    if domains is None:
        return True
    if envelope is None:
        return message.day.domain.name in map(safe_name, domains)
    return any(recipient.rpartition("@")[2] in domains for recipient in envelope.recipients)


def _delete(message: Message) -> None:
    """Delete a message, but not while somebody releases it; without an envelope nobody can."""
    with contextlib.suppress(NoSuchMessage), locked(message) if message.envelope else contextlib.nullcontext():
        delete(message)


def _print_doomed(doomed: list[Message], as_json: bool, summary: str) -> None:
    if as_json:
        for message in doomed:
            write_object(as_dict(message))
        sys.stdout.flush()
        return
    if doomed:
        table = Table(COLUMNS, terminal_width())
        write_line(table.head())
        for message in doomed:
            write_line(table.row(message))
        sys.stdout.flush()
    if summary:
        click.echo(summary)


def _print_envelope(copy: Message) -> None:
    envelope = copy.envelope
    if envelope is None:
        click.echo(printable(copy.problem), err=True)
        return
    write_line(f"{envelope.ref}   {local(envelope.time)}   {size(envelope.size)}   {copy.path}")
    shown = {
        "from": f"<{envelope.sender}>",
        "to": ", ".join(envelope.recipients),
        "client": f"{envelope.ip} ({envelope.host or 'no reverse name'}), HELO {envelope.helo}",
        "held by": f"{envelope.check} ({envelope.reason}): {envelope.sentence}",
    }
    for name, text in shown.items():
        write_line(f"  {name + ':':<9} {printable(text)}")
    for one in envelope.released:
        what = f"{local(one.time)} to {printable(', '.join(one.recipients))} by {printable(one.by)}"
        write_line(f"  {'released:':<9} {what}{'' if one.state == 'sent' else ' (perhaps: it was broken off)'}")
    write_line("")


def _notes(seen: View, rest: bool) -> Iterator[str]:
    if seen.problem:
        yield seen.problem
    if seen.cut:
        yield f"{seen.cut} more characters; export shows all"
    if rest:
        yield f"only the first {size(SHOWN_BYTES)} were looked at; export shows all"


def _view_dict(seen: View) -> dict[str, Any]:
    return {
        "headers": seen.headers,
        "text": seen.text,
        "html": seen.html,
        "cut": seen.cut,
        "parts": [part._asdict() for part in seen.parts],
    }
