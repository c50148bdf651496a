"""Releasing a held message: it is delivered after all, once, and mail like it is exempted where that is wanted.

A release is written down in the envelopes of all copies before Exim gets the message (`sending`) and after that
(`sent`). So whatever is interrupted, no message is delivered twice unless that is asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from eximacl.archive.change import locked, mark_released
from eximacl.archive.content import is_altered
from eximacl.archive.envelope import Envelope, ReleaseNote
from eximacl.archive.errors import AlreadyReleased, AlteredMessage, ArchiveError, MaybeReleased, ReleaseError
from eximacl.archive.index import Message, copies_of, entered, open_message
from eximacl.archive.sendmail import deliver, release_header, sendmail_arguments
from eximacl.config.exempt import Exempter, Exemption, ExemptionPlan, RefusedMail
from eximacl.config.exempt_change import ExemptError
from eximacl.system.times import local, zoned
from eximacl.system.users import own_rights


class Released(NamedTuple):
    """A message that Exim has taken: its reference, sender and recipients, and what was exempted."""

    ref: str
    sender: str
    recipients: tuple[str, ...]
    exemptions: tuple[Exemption, ...]


def release(
    root: Path,
    ref: str,
    *,
    sendmail: Path,
    by: str,
    to: Sequence[str] = (),
    again: bool = False,
    exempter: Exempter | None = None,
    journal: Path | None = None,
) -> Released:
    """Give the message with a (normalised) reference to Exim: once, for the recipients of all its copies.

    sendmail: the program that takes it. by: the user, for the records. to: other recipients instead of its own. again:
    even if it was released before. exempter: exempts mail like it. journal: see `copies_of`. What is in the archive is
    read and written with the rights of its owner, the rest with our own.
    Raises NoSuchMessage, AlteredMessage, AlreadyReleased, ReleaseError, ArchiveError; ExemptError where the exemption
    cannot be added, which says whether the message was released.
    """
    now = time.time()
    with entered(root), locked(*copies_of(root, ref, journal)) as copies:
        envelopes = [copy.envelope for copy in copies if copy.envelope is not None]
        if not again:
            _refuse_second(envelopes)
        with own_rights():
            plans = _plan_exemptions(exempter, envelopes, f"{ref} released {local(now)} by {by}")
        recipients = tuple(to) or tuple(recipient for envelope in envelopes for recipient in envelope.recipients)
        _send(copies, envelopes[0], ReleaseNote(time=now, recipients=recipients, by=by), sendmail)
    return Released(ref, envelopes[0].sender, recipients, _exempt(exempter, plans, ref))


def _refuse_second(envelopes: Sequence[Envelope]) -> None:
    """Raise AlreadyReleased where the message was released, or may have been."""
    notes = [note for envelope in envelopes for note in envelope.released]
    if not notes:
        return
    last = max(notes, key=lambda note: note.time)
    what = f"{zoned(last.time)} to {', '.join(last.recipients)} by {last.by}"
    ref, message_id = envelopes[0].ref, envelopes[0].message_id.strip("<>")
    if last.state == "sent":
        raise AlreadyReleased(
            f"{ref} was released already, {what}; --again does it once more, and"
            f" `eximacl allow sender {ref}` only lets the next one pass"
        )
    raise AlreadyReleased(
        f"{ref} may have been released already: a release, {what}, was interrupted. Look in Exim's main log whether it"
        f" took the message{f' (id={message_id})' if message_id else ''}; if not, --again releases it"
    )


def _send(copies: Sequence[Message], envelope: Envelope, done: ReleaseNote, sendmail: Path) -> None:
    """Give the message to Exim, if it is still the one that came, with the release written down before and after."""
    ref = envelope.ref
    with open_message(copies[0]) as file:
        if is_altered(file, copies[0]):
            raise AlteredMessage(
                f"{copies[0].path} is not what was received: its SHA-256 differs from the envelope's; look at it with"
                f" `eximacl archive show {ref}`, and send it by hand if it is right"
            )
        try:
            arguments = sendmail_arguments(envelope.sender, done.recipients)
            _announce(copies, dataclasses.replace(done, state="sending"))
            with own_rights():  # Exim takes an envelope sender only from whom it trusts
                deliver(file, release_header(ref, done.time, done.by), arguments, sendmail)
        except MaybeReleased as error:
            # The announcement stays: nobody releases it again without looking.
            raise MaybeReleased(f"{ref} may have been released: {error}; see Exim's log") from None
        except ReleaseError as error:
            why = f"{ref} was not released: {error}"
            _write_down(copies, why)
            raise ReleaseError(why) from None
    _write_down(copies, f"{ref} was given to Exim: do not release it again", done)


def _announce(copies: Sequence[Message], sending: ReleaseNote) -> None:
    """Write the release down before it is made, in all copies or in none. Raises ArchiveError."""
    try:
        _write_down(copies, "nothing was released", sending)
    except ArchiveError:
        with contextlib.suppress(ArchiveError):
            _write_down(copies, "")
        raise


def _write_down(copies: Sequence[Message], state: str, *last: ReleaseNote) -> None:
    """Have each envelope list the releases there were, and `last`.

    Raises ArchiveError; `state` ends its text.
    """
    try:
        for copy in copies:
            assert copy.envelope
            mark_released(copy, (*copy.envelope.released, *last))
    except ArchiveError as error:
        raise ArchiveError(f"{error}; {state}") from None


def _plan_exemptions(exempter: Exempter | None, envelopes: Sequence[Envelope], comment: str) -> Sequence[ExemptionPlan]:
    """Make sure, as far as that is possible before, that the exemptions can be added. Raises ExemptError."""
    if exempter is None:
        return ()
    # One for each domain is enough: it covers the other recipients there.
    mails = [RefusedMail(one.recipients[0], one.sender, one.ip, one.host, one.helo) for one in envelopes]
    try:
        return exempter.plan(mails, comment)
    except ExemptError as error:
        raise ExemptError(f"{envelopes[0].ref}: it cannot be exempted: {error}; nothing was released") from None


def _exempt(exempter: Exempter | None, plans: Sequence[ExemptionPlan], ref: str) -> tuple[Exemption, ...]:
    """Add the exemptions after the release. Raises ExemptError."""
    if exempter is None:
        return ()
    try:
        return tuple(exempter.add(plans))
    except ExemptError as error:
        raise ExemptError(f"{ref} was released all the same, but it cannot be exempted: {error}") from None
