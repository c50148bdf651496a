"""`eximacl archive`: list, show, export, release and purge what was held."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from eximacl.archive import Message, NoSuchMessage, delete, locked, open_message, purge
from eximacl.archive.layout import safe_name
from eximacl.cli import exits
from eximacl.cli.archived import (
    COLUMNS,
    all_of,
    archive_of,
    archive_option,
    as_dict,
    copies_of,
    explained,
    size_of,
    time_of_message,
)
from eximacl.cli.common import Failure, config_option, json_option, print_json, printable
from eximacl.cli.filters import filter_options, reference_of, wanted_of
from eximacl.cli.releasing import release
from eximacl.cli.table import Table, printable_lines, size, terminal_width, write_line, write_object
from eximacl.lists import Domains
from eximacl.mailview import View, view
from eximacl.rejection_search import Entry, Wanted
from eximacl.times import local, parse_span

# Enough for every text; what follows in a message this long are attachments.
SHOWN_BYTES = 20 * 1024 * 1024
COPY_BYTES = 1024 * 1024


@click.group()
def archive() -> None:
    """List, show, export, release and purge the messages that were held."""


@archive.command("list")
@filter_options
@json_option
@config_option
@archive_option
def list_command(as_json: bool, config_path: Path, directory: Path | None, **given: str | None) -> int:
    """List held messages, the newest last. What is given must all hold.

    \b
    eximacl archive list --domain example.org --since 3d
    eximacl archive list --json | jq -r .ref

    Exit status: 0 when something was found, 66 when nothing was.
    """
    wanted = wanted_of(given)
    root = archive_of(directory, config_path)
    table = Table(COLUMNS, terminal_width())
    count = 0
    for message in all_of(root):
        if not _covers(wanted, message):
            continue
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
@click.argument("ref")
@json_option
@config_option
@archive_option
def show(ref: str, as_json: bool, config_path: Path, directory: Path | None) -> int:
    """Show a held message: why it was held, its headers, its text, and what is attached.

    \b
    eximacl archive show 7KQ2M9D4
    """
    reference = reference_of(ref)
    copies = copies_of(archive_of(directory, config_path), reference)
    with explained(), open_message(copies[0]) as file:
        data = file.read(SHOWN_BYTES)
        rest = len(file.read(1)) > 0
    seen = view(data)
    if as_json:
        print_json({"copies": [as_dict(copy) for copy in copies], **_view_dict(seen)})
        return 0
    for copy in copies:
        _print_envelope(copy)
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
@click.argument("ref")
@click.option(
    "--output", type=click.Path(path_type=Path, allow_dash=True), default="-", metavar="FILE",
    help="Write to FILE, which must not be there yet, instead of standard output.",
)  # fmt: skip
@config_option
@archive_option
def export(ref: str, output: Path, config_path: Path, directory: Path | None) -> int:
    """Write the very bytes of a held message.

    \b
    eximacl archive export 7KQ2M9D4 --output wrong.eml
    eximacl archive export 7KQ2M9D4 | spamassassin -t
    """
    reference = reference_of(ref)
    message = copies_of(archive_of(directory, config_path), reference)[0]
    with explained(), open_message(message) as file:
        if str(output) != "-":
            try:
                with output.open("xb") as target:
                    shutil.copyfileobj(file, target, COPY_BYTES)
            except FileExistsError:
                raise Failure(f"{output} is there already; it stays as it is", exits.IO_ERROR) from None
            except OSError as error:
                raise Failure(f"{output}: {error.strerror}", exits.IO_ERROR) from None
            return 0
        if sys.stdout.isatty():
            raise Failure(
                "a message may hold what a terminal obeys: use --output FILE, a pipe, or `eximacl archive show`",
                exits.USAGE,
            )
        shutil.copyfileobj(file, sys.stdout.buffer, COPY_BYTES)
        sys.stdout.buffer.flush()
    return 0


@archive.command("purge")
@click.option("--older-than", "older", metavar="SPAN", help="Messages held longer ago than this: 30d, 12h.")
@click.option("--ref", metavar="REF", help="The message with this reference.")
@click.option("--domain", metavar="DOMAIN", help="Messages to this domain; with a dot before it: all below it.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@config_option
@archive_option
def purge_command(
    older: str | None,
    ref: str | None,
    domain: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    config_path: Path,
    directory: Path | None,
) -> int:
    """Delete held messages for good. What is given must all hold.

    \b
    eximacl archive purge --older-than 30d
    eximacl archive purge --ref 7KQ2M9D4 --yes
    eximacl archive purge --domain example.org --older-than 7d --dry-run

    Exit status: 0 when something was deleted (or would be), 66 when there is nothing to delete.
    """
    doom = _doom(older, ref, domain)
    root = archive_of(directory, config_path)
    doomed = [message for message in all_of(root) if _is_doomed(message, *doom)]
    if not doomed:
        click.echo("There is nothing to delete.", err=True)
        return exits.NOT_FOUND
    told = f"{len(doomed)} message{'s' if len(doomed) > 1 else ''}, {size(sum(map(size_of, doomed)))}"
    if dry_run:
        _print_doomed(doomed, as_json, f"{told} would be deleted.")
        return 0
    if not yes:
        if not sys.stdin.isatty():
            raise Failure(f"{told} would be deleted: confirm with --yes", exits.USAGE)
        click.confirm(f"Delete {told}?", abort=True, err=True)
    with explained():
        for message in doomed:
            _delete(message)
        # Days that are empty now go, too; by age and size nothing.
        purge(root, keep_days=0, keep_mb=0, now=time.time())
    _print_doomed(doomed if as_json else [], as_json, f"{told}: deleted.")
    return 0


archive.add_command(release)


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


def _doom(older: str | None, ref: str | None, domain: str | None) -> tuple[float | None, str | None, Domains | None]:
    """Return before when, which reference and which domains are to be deleted. Raises UsageError, Failure."""
    if older is None and ref is None and domain is None:
        raise click.UsageError("say what: --older-than SPAN, --ref REF or --domain DOMAIN")
    try:
        before = None if older is None else time.time() - parse_span(older)
    except ValueError as error:
        raise click.UsageError(f"--older-than: {error}") from None
    try:
        domains = None if domain is None else Domains([domain])
    except ValueError as error:
        raise click.UsageError(f"--domain: {error}") from None
    return before, None if ref is None else reference_of(ref), domains


def _is_doomed(message: Message, before: float | None, ref: str | None, domains: Domains | None) -> bool:
    envelope = message.envelope
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
        write_line(
            f"  {'released:':<9} {local(one.time)} to {printable(', '.join(one.recipients))} by {printable(one.by)}"
        )
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
