"""`eximacl archive release`: deliver a held message after all, and let the next one pass."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, get_args

import click

from eximacl.allow import AllowError, Change, Kind, Refusal, prepare
from eximacl.archive import ArchiveError, Envelope, Message, Release, locked, mark_released, open_message
from eximacl.cli import exits
from eximacl.cli.archived import archive_of, archive_option, copies_of, explained
from eximacl.cli.common import (
    DEFAULT_SENDMAIL,
    Failure,
    ask_daemon,
    config_option,
    find_path,
    find_socket,
    json_option,
    print_json,
    printable,
    socket_option,
)
from eximacl.cli.filters import reference_of
from eximacl.release import ReleaseError, current_user, deliver, release_header, sendmail_arguments
from eximacl.times import local
from eximacl.wire import CONTROL, format_query

COPY_BYTES = 1024 * 1024


@click.command()
@click.argument("ref")
@click.option("--to", "to", multiple=True, metavar="ADDRESS", help="Send it there and not to its recipients.")
@click.option("--again", is_flag=True, help="Even if it was released before.")
@click.option(
    "--allow",
    "kind",
    type=click.Choice(get_args(Kind)),
    help="Exempt its sender, the sender's domain, the client's IP address or host name from now on.",
)
@click.option(
    "--everywhere", is_flag=True, help="With --allow: for all domains, and not only for that of the recipient."
)
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
    ref: str,
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
    """Deliver a held message after all: its own bytes, to its own recipients, with one header more.

    Run it as root, or as a user that Exim trusts with an envelope sender.

    \b
    eximacl archive release 7KQ2M9D4
    eximacl archive release 7KQ2M9D4 --allow sender
    eximacl archive release 7KQ2M9D4 --to postmaster@example.org

    \b
    Exit status: 0 it was delivered to Exim
      66 not in the archive           73 released before (--again does it once more)
      75 Exim did not take it         78 the exemption of --allow cannot be added
    """
    if everywhere and kind is None:
        raise click.UsageError("--everywhere is for --allow")
    reference = reference_of(ref)
    root = archive_of(directory, config_path)
    sendmail = sendmail or find_path(config_path, "archive", "sendmail", DEFAULT_SENDMAIL, "--sendmail")
    with ExitStack() as stack, explained():
        # In the order of their paths, as all others lock them.
        copies = [stack.enter_context(locked(copy)) for copy in copies_of(root, reference)]
        envelopes = [copy.envelope for copy in copies if copy.envelope is not None]
        _refuse_second(envelopes, again)
        refusals = _refusals(envelopes) if kind else []
        for refusal in refusals:
            _prepared(config_path, kind, refusal, reference, everywhere, "nothing was released")
        recipients = to or tuple(recipient for envelope in envelopes for recipient in envelope.recipients)
        _send(copies[0], envelopes[0], recipients, sendmail)
        _write_down(copies, Release(time=time.time(), recipients=recipients, by=current_user(os.environ)))
    if not as_json:
        click.echo(f"{reference} was given to Exim for {printable(', '.join(recipients))}")
    allowed = [_allow(config_path, kind, one, reference, everywhere, socket_path) for one in refusals]
    if as_json:
        print_json({"ref": reference, "from": envelopes[0].sender, "to": recipients, "allowed": allowed})
    else:
        for one in allowed:
            click.echo(_told(one))
    return 0


def _refuse_second(envelopes: Sequence[Envelope], again: bool) -> None:
    released = [one for envelope in envelopes for one in envelope.released]
    if released and not again:
        last = released[-1]
        raise Failure(
            f"{envelopes[0].ref} was released already, {local(last.time)} to {printable(', '.join(last.recipients))}"
            f" by {printable(last.by)}; --again does it once more",
            exits.ALREADY,
        )


def _send(copy: Message, envelope: Envelope, recipients: Sequence[str], sendmail: Path) -> None:
    """Give the message to Exim, if it is still the one that came."""
    with open_message(copy) as file:
        if _digest(file) != envelope.sha256:
            raise Failure(
                f"{copy.path} is not what was received: its SHA-256 differs from the envelope's; look at it with"
                f" `eximacl archive show {envelope.ref}`, and send it by hand if it is right",
                exits.DATA,
            )
        file.seek(0)
        header = release_header(envelope.ref, time.time(), current_user(os.environ))
        try:
            deliver(file, header, sendmail_arguments(envelope.sender, recipients), sendmail)
        except ReleaseError as error:
            raise Failure(f"{envelope.ref} was not released: {printable(str(error))}", exits.NOT_SENT) from None


def _write_down(copies: Sequence[Message], done: Release) -> None:
    try:
        for copy in copies:
            mark_released(copy, done)
    except ArchiveError as error:
        raise Failure(f"the message was given to Exim, but {error}: do not release it again", exits.IO_ERROR) from None


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(COPY_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _refusals(envelopes: Sequence[Envelope]) -> list[Refusal]:
    """Return one mail for each domain; its exemption covers the other recipients there."""
    return [Refusal(one.recipients[0], one.sender, one.ip, one.host, one.helo) for one in envelopes]


def _prepared(
    config: Path, kind: Kind | None, refusal: Refusal, reference: str, everywhere: bool, state: str
) -> Change:
    """Work out an exemption. Done before anything is sent, too, so that what cannot be done is known in time."""
    assert kind is not None
    comment = f"{reference} released {local(time.time())} by {current_user(os.environ)}"
    try:
        return prepare(config, kind, refusal, comment, everywhere=everywhere)
    except AllowError as error:
        raise Failure(f"--allow {kind}: {printable(str(error))}; {state}", exits.CONFIG) from None
    except OSError as error:
        raise Failure(f"--allow {kind}: {error.filename}: {error.strerror}; {state}", exits.CONFIG) from None


def _allow(
    config: Path, kind: Kind | None, refusal: Refusal, reference: str, everywhere: bool, socket: Path | None
) -> dict[str, Any]:
    """Add the exemption, and have the daemon know it; return what was done."""
    state = f"{reference} was released all the same"
    change = _prepared(config, kind, refusal, reference, everywhere, state)
    try:
        files = change.apply()
    except AllowError as error:
        raise Failure(f"--allow {kind}: {printable(str(error))}; {state}", exits.CONFIG) from None
    done: dict[str, Any] = {"entry": change.entry, "key": change.key, "list": str(change.file)}
    done |= {"changed": list(map(str, files)), "already": change.already, "reload": ""}
    if change.reload:
        done["reload"] = _reload(config, socket)
    return done


def _reload(config: Path, socket: Path | None) -> str:
    """Make the daemon read its TOML anew; return what came of it."""
    try:
        reply = ask_daemon(find_socket(socket, config), format_query(CONTROL, {"do": "reload"}))
    except Failure as error:
        return f"not in force yet: {error.message}; run `eximacl reload`"
    return "in force" if '"problems": []' in reply.extra["answer"] else "not in force: run `eximacl reload`"


def _told(allowed: dict[str, Any]) -> str:
    entry = printable(allowed["entry"])
    if allowed["already"]:
        return f"{entry}: such mail is exempt already ({printable(allowed['already'])}); nothing was changed"
    state = allowed["reload"] or "in force in a moment"
    changed = ", ".join(allowed["changed"])
    return f"{entry} was added to {allowed['key']} in {allowed['list']}, {state}\nchanged: {changed}"
