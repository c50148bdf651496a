"""`eximacl archive`: list, show, export, release and purge what was held."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import click

from eximacl.archive import Message, messages
from eximacl.archive.content import export, export_to, show
from eximacl.archive.index import Match, entered, search
from eximacl.archive.release import Released, release
from eximacl.archive.retention import Selection, delete_all
from eximacl.cli import exits
from eximacl.cli.command import Group, Section
from eximacl.cli.commands.allow import describe_added
from eximacl.cli.complete import archived_reference
from eximacl.cli.errors import explained
from eximacl.cli.filters import filter_options, last_option, reference_of, wanted_of
from eximacl.cli.messages import (
    ALTERED,
    archive_of,
    archive_option,
    copies_at,
    journal_if_any,
    print_message,
    print_messages,
    shown_as_dict,
)
from eximacl.cli.options import (
    Failure,
    config_option,
    find_path,
    json_option,
    print_json,
    socket_option,
)
from eximacl.cli.output import size, write_line
from eximacl.config.exempt import KINDS, Exempter, ExemptKind
from eximacl.mail.address import is_mailbox
from eximacl.mail.lists import Domains
from eximacl.system.text import printable
from eximacl.system.times import parse_span
from eximacl.system.users import current_user

# As many as a person looks through before saying yes.
ASKED_MAX = 20

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

    \b
    Exit status: 0 something was found    66 nothing was
      74 there is no archive              78 wrong configuration
    """
    wanted = wanted_of(given)
    root = archive_of(directory, config_path)
    with explained(), entered(root):
        found = _compared(search(root, wanted))
        count = print_messages(found if last is None else deque(found, last), as_json)
    if not count:
        click.echo("Nothing was found.", err=True)
    return 0 if count else exits.NOT_FOUND


def _compared(found: Iterable[Match]) -> Iterator[Message]:
    """Yield the messages that match; say which could not be compared."""
    for match in found:
        if match.compared:
            yield match.message
        else:
            click.echo(f"Not compared: {printable(match.message.problem)}", err=True)


@archive.command("show")
@click.argument("ref", shell_complete=archived_reference)
@json_option
@config_option
@archive_option
def show_command(ref: str, as_json: bool, config_path: Path, directory: Path | None) -> int:
    """Show a held message and why it was held.

    Its headers, its text, and a list of what is attached.

    \b
    Examples:
      eximacl archive show 7KQ2M9D4
    """
    copies = copies_at(ref, directory, config_path)
    with explained():
        shown = show(copies[0])
    if as_json:
        print_json(shown_as_dict(copies, shown))
    else:
        print_message(copies, shown)
    return 0


@archive.command("export")
@click.argument("ref", shell_complete=archived_reference)
@click.option(
    "--output", type=click.Path(path_type=Path, allow_dash=True), default="-", metavar="FILE",
    help="Write to FILE, which must not exist yet, instead of standard output.",
)  # fmt: skip
@config_option
@archive_option
def export_command(ref: str, output: Path, config_path: Path, directory: Path | None) -> int:
    """Write a held message to a file, byte for byte.

    \b
    Examples:
      eximacl archive export 7KQ2M9D4 --output wrong.eml
      eximacl archive export 7KQ2M9D4 | spamassassin -t
    """
    message = copies_at(ref, directory, config_path)[0]
    with explained():
        if str(output) != "-":
            altered = export_to(message, output)
        elif sys.stdout.isatty():
            raise Failure(
                "the message may hold sequences that a terminal obeys: use --output FILE, a pipe, or"
                " `eximacl archive show`",
                exits.USAGE,
            )
        else:
            altered = export(message, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    if altered:
        click.echo(f"{message.path} {ALTERED}", err=True)
    return 0


def _checked_addresses(_context: click.Context, parameter: click.Parameter, to: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses that an option was given. Raises UsageError."""
    for address in to:
        if not is_mailbox(address):
            raise click.UsageError(
                f"{parameter.opts[0]}: {printable(address)!r} is not an address, such as steve@example.org"
            )
    return to


@archive.command("release")
@click.argument("refs", metavar="REF...", nargs=-1, required=True, shell_complete=archived_reference)
@click.option(
    "--to",
    "to",
    multiple=True,
    metavar="ADDRESS",
    callback=_checked_addresses,
    help="Send it there instead of to its recipients. May be repeated.",
)
@click.option("--again", is_flag=True, help="Even if it was released before.")
@click.option(
    "--allow",
    "kind",
    type=click.Choice(KINDS),
    help="Exempt its sender, the sender's domain, the client's IP address or host name from now on.",
)
@click.option("--everywhere", is_flag=True, help="With --allow: for all domains, not only for the recipient's.")
@click.option(
    "--sendmail",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PROGRAM",
    help="Exim's sendmail program.  [default: the policy file's archive.sendmail]",
)
@json_option
@config_option
@archive_option
@socket_option
def release_command(
    refs: tuple[str, ...],
    to: tuple[str, ...],
    again: bool,
    kind: ExemptKind | None,
    everywhere: bool,
    sendmail: Path | None,
    as_json: bool,
    config_path: Path,
    directory: Path | None,
    socket_path: Path | None,
) -> int:
    """Deliver held messages after all.

    A message goes to its recipients byte for byte, with one header added. It keeps its envelope sender, also with --to.
    Run this as root, or as a user whom Exim trusts to set an envelope sender (trusted_users).

    \b
    Examples:
      eximacl archive release 7KQ2M9D4
      eximacl archive release 7KQ2M9D4 --allow sender
      eximacl archive release 7KQ2M9D4 --to postmaster@example.org
      eximacl archive release $(eximacl archive list --sender ann@example.net --json | jq -r .ref)

    \b
    Exit status, of the first message whose status is not 0:
       0 it was given to Exim           65 it is not what was received
      66 not in the archive             73 released before, or perhaps (--again does it once more)
      74 the archive cannot be written  75 Exim did not take it
      78 the exemption of --allow cannot be added
    """
    if everywhere and kind is None:
        raise click.UsageError("--everywhere is for --allow")
    references = dict.fromkeys(map(reference_of, refs))
    # Both are in the policy file, so that both are named where it cannot be read.
    instead = "--sendmail" if directory else "--archive and --sendmail"
    sendmail = sendmail or find_path(config_path, "archive", "sendmail", instead)
    assert sendmail is not None, "archive.sendmail is never empty"
    root, journal = archive_of(directory, config_path), journal_if_any(config_path)
    exempter = kind and Exempter(config_path, kind, everywhere=everywhere, socket=socket_path)
    give = partial(
        release, root, sendmail=sendmail, by=current_user(), to=to, again=again, exempter=exempter, journal=journal
    )
    statuses = [_release_one(ref, give, as_json) for ref in references]
    return next(filter(None, statuses), 0)


def _release_one(ref: str, give: Callable[[str], Released], as_json: bool) -> int:
    """Release a message and print that, or what went wrong; return the exit status."""
    try:
        with explained():
            released = give(ref)
        _print_released(released, as_json)
    except Failure as error:
        error.show()
        return error.status
    return 0


def _print_released(released: Released, as_json: bool) -> None:
    if as_json:
        allowed = [one.as_dict() for one in released.exemptions]
        print_json({"ref": released.ref, "from": released.sender, "to": released.recipients, "allowed": allowed})
        return
    write_line(f"{released.ref} was given to Exim for {printable(', '.join(released.recipients))}")
    for exemption in released.exemptions:
        write_line(describe_added(exemption))


@archive.command("purge")
@click.option("--older-than", "older", metavar="SPAN", help="Messages held longer ago than this: 30d, 12h.")
@click.option("--ref", metavar="REF", shell_complete=archived_reference, help="The message with this reference.")
@click.option("--domain", metavar="DOMAIN", help="Messages to this domain; with a dot before it, all below it.")
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
    selection = _selection(older, ref, domain, released)
    root = archive_of(directory, config_path)
    with explained(), entered(root):
        selected = list(filter(selection.covers, messages(root)))
    if not selected:
        click.echo("There is nothing to delete.", err=True)
        return exits.NOT_FOUND
    if dry_run:
        print_messages(selected, as_json)
        _summarize(f"{_counted(selected)} would be deleted.", as_json)
        return 0
    if not yes and not _confirm(selected):
        click.echo("Nothing was deleted.", err=True)
        return 0
    with explained(), entered(root):
        deleted = delete_all(root, selected)
    if as_json:
        print_messages(deleted.messages, as_json)
    _summarize(f"{_counted(deleted.messages)}: deleted.", as_json)
    for problem in deleted.problems:
        click.echo(f"Error: {printable(problem)}", err=True)
    return exits.IO_ERROR if deleted.problems else 0


def _selection(older: str | None, ref: str | None, domain: str | None, released: bool) -> Selection:
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
    return Selection(before=before, ref=None if ref is None else reference_of(ref), domains=domains, released=released)


def _confirm(selected: Sequence[Message]) -> bool:
    """Show what would be deleted, and ask. Raises Failure where nobody can answer."""
    if not sys.stdin.isatty():
        raise Failure(f"{_counted(selected)} would be deleted: confirm with --yes", exits.USAGE)
    print_messages(selected[:ASKED_MAX], as_json=False)
    if len(selected) > ASKED_MAX:
        click.echo(f"… and {len(selected) - ASKED_MAX} more")
    return click.confirm(f"Delete {_counted(selected)}?", err=True)


def _counted(found: Sequence[Message]) -> str:
    return f"{len(found)} message{'' if len(found) == 1 else 's'}, {size(sum(one.size for one in found))}"


def _summarize(text: str, as_json: bool) -> None:
    if not as_json:
        click.echo(text)
