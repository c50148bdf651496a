"""`eximacl archive release`: deliver held messages after all, and let the next ones pass."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import click

from eximacl.archive import ArchiveError, Envelope, Message, ReleaseNote, locked, mark_released, open_message
from eximacl.archive.release import ReleaseError, Unsure, deliver, release_header, sendmail_arguments
from eximacl.cli import exits
from eximacl.cli.archived import archive_of, archive_option, copies_of, explained
from eximacl.cli.command import Command
from eximacl.cli.commands.allow import KINDS, Allowing, told
from eximacl.cli.complete import archived_reference
from eximacl.cli.filters import reference_of
from eximacl.cli.options import Failure, config_option, find_path, json_option, print_json, socket_option
from eximacl.cli.output import write_line
from eximacl.config.exempt import Kind, RefusedMail
from eximacl.mail.address import is_mailbox
from eximacl.system import paths
from eximacl.system.text import printable
from eximacl.system.times import local
from eximacl.system.users import current_user

COPY_BYTES = 1024 * 1024


class _Order(NamedTuple):
    """What the options say about every message that is released."""

    root: Path
    sendmail: Path
    to: tuple[str, ...]
    again: bool
    config: Path
    kind: Kind | None
    everywhere: bool
    socket: Path | None
    as_json: bool


@click.command(cls=Command)
@click.argument("refs", metavar="REF...", nargs=-1, required=True, shell_complete=archived_reference)
@click.option(
    "--to",
    "to",
    multiple=True,
    metavar="ADDRESS",
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
def release(
    refs: tuple[str, ...],
    to: tuple[str, ...],
    again: bool,
    kind: Kind | None,
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
    Exit status, of the first message that has another than 0:
       0 it was given to Exim           65 it is not what was received
      66 not in the archive             73 released before, or perhaps (--again does it once more)
      74 the archive cannot be written  75 Exim did not take it
      78 the exemption of --allow cannot be added
    """
    if everywhere and kind is None:
        raise click.UsageError("--everywhere is for --allow")
    for address in to:
        if not is_mailbox(address):
            raise click.UsageError(f"--to: {printable(address)!r} is no address, such as steve@example.org")
    references = dict.fromkeys(map(reference_of, refs))
    instead = "--sendmail" if directory else "--archive and --sendmail"
    sendmail = sendmail or find_path(config_path, "archive", "sendmail", paths.SENDMAIL, instead)
    root = archive_of(directory, config_path)
    order = _Order(root, sendmail, to, again, config_path, kind, everywhere, socket_path, as_json)
    status = 0
    for reference in references:
        try:
            _release(reference, order)
        except Failure as error:
            error.show()
            status = status or error.status
    return status


def _release(reference: str, order: _Order) -> None:
    """Release one message: all its copies' recipients get it once."""
    allowing = order.kind and Allowing(
        order.config,
        order.kind,
        order.everywhere,
        f"{reference} released",
        order.socket,
        f"{reference}: --allow {order.kind}",
    )
    with explained(), locked(*copies_of(order.root, reference, order.config)) as copies:
        envelopes = [copy.envelope for copy in copies if copy.envelope is not None]
        _refuse_second(envelopes, order.again)
        refusals = allowing.needed(_refusals(envelopes)) if allowing else ()
        for refusal in refusals:
            assert allowing
            allowing.check(refusal, "; nothing was released")
        recipients = order.to or tuple(recipient for envelope in envelopes for recipient in envelope.recipients)
        _send(copies, envelopes, recipients, order.sendmail)
    # What is printed comes last: nothing is left undone where nobody can read it.
    allowed = [allowing.add(one, f"; {reference} was released all the same") for one in refusals] if allowing else []
    if order.as_json:
        print_json({"ref": reference, "from": envelopes[0].sender, "to": recipients, "allowed": allowed})
        return
    write_line(f"{reference} was given to Exim for {printable(', '.join(recipients))}")
    for one in allowed:
        write_line(told(one))


def _refuse_second(envelopes: Sequence[Envelope], again: bool) -> None:
    released = [one for envelope in envelopes for one in envelope.released]
    if not released or again:
        return
    last = max(released, key=lambda one: one.time)
    what = f"{local(last.time)} to {printable(', '.join(last.recipients))} by {printable(last.by)}"
    ref, message_id = envelopes[0].ref, printable(envelopes[0].message_id.strip("<>"))
    if last.state == "sent":
        advice = f"--again does it once more, and `eximacl allow sender {ref}` only lets the next one pass"
        raise Failure(f"{ref} was released already, {what}; {advice}", exits.ALREADY)
    raise Failure(
        f"{ref} may have been released already: a release, {what}, was broken off. Look in Exim's main log whether it"
        f" took the message{f' (id={message_id})' if message_id else ''}; if not, --again releases it",
        exits.ALREADY,
    )


def _send(copies: Sequence[Message], envelopes: Sequence[Envelope], recipients: Sequence[str], sendmail: Path) -> None:
    """Give the message to Exim, if it is still the one that came, with the release written down before and after."""
    envelope, now, by = envelopes[0], time.time(), current_user(os.environ)
    done = ReleaseNote(time=now, recipients=tuple(recipients), by=by)
    with open_message(copies[0]) as file:
        _make_sure(file, copies[0].path, envelope)
        try:
            arguments = sendmail_arguments(envelope.sender, recipients)
            _announce(copies, dataclasses.replace(done, state="sending"))
            deliver(file, release_header(envelope.ref, now, by), arguments, sendmail)
        except Unsure as error:
            why = printable(str(error))
            raise Failure(f"{envelope.ref} may have been released: {why}; see Exim's log", exits.NOT_SENT) from None
        except ReleaseError as error:
            why = f"{envelope.ref} was not released: {printable(str(error))}"
            _write_down(copies, why)
            raise Failure(why, exits.NOT_SENT) from None
    _write_down(copies, f"{envelope.ref} was given to Exim: do not release it again", done)


def _announce(copies: Sequence[Message], sending: ReleaseNote) -> None:
    """Write the release down before it is made, in all copies or in none, so that none is made twice unasked."""
    try:
        _write_down(copies, "nothing was released", sending)
    except Failure:
        with contextlib.suppress(Failure):
            _write_down(copies, "")
        raise


def _write_down(copies: Sequence[Message], state: str, *last: ReleaseNote) -> None:
    """Have each envelope list the releases there were, and `last`. `state` ends the text of a failure."""
    try:
        for copy in copies:
            assert copy.envelope
            mark_released(copy, (*copy.envelope.released, *last))
    except ArchiveError as error:
        raise Failure(f"{error}; {state}", exits.IO_ERROR) from None


def _make_sure(file: BinaryIO, path: Path, envelope: Envelope) -> None:
    """Fail unless the message is what was received. Leaves the file at its beginning."""
    digest = hashlib.sha256()
    while chunk := file.read(COPY_BYTES):
        digest.update(chunk)
    file.seek(0)
    if digest.hexdigest() != envelope.sha256:
        raise Failure(
            f"{path} is not what was received: its SHA-256 differs from the envelope's; look at it with"
            f" `eximacl archive show {envelope.ref}`, and send it by hand if it is right",
            exits.DATA,
        )


def _refusals(envelopes: Sequence[Envelope]) -> list[RefusedMail]:
    """Return one mail for each domain; its exemption covers the other recipients there."""
    return [RefusedMail(one.recipients[0], one.sender, one.ip, one.host, one.helo) for one in envelopes]
