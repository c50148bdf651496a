"""`valid_recipient`: the recipients that exist. A policy without a list refuses nothing."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Hit, Outcome, Query, Recipients, check, option
from eximacl.mail.address import without_tag


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `valid_recipient`."""

    recipients: Recipients = option(
        [], "The recipients that exist; all others are refused. An empty list refuses nothing."
    )
    separators: str = option(
        "+", "Characters that start a tag: with +, mail to steve+tag is for steve. Empty: no tags."
    )


@check("valid_recipient", stages={"rcpt"}, options=Options)
async def valid_recipient(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse recipients that do not exist.

    A disposable address is judged by its owner's name, a tagged one (steve+tag) by the name before the tag.
    """
    recipient = query.recipient
    recipients = options.recipients
    if recipient is None or not recipients.filled:
        return None
    mailbox, domain = query.mailbox, recipient.domain
    # What is listed as it was sent exists, whatever it may stand for.
    if recipients.match(mailbox, domain) or (
        mailbox != recipient.localpart and recipients.match(recipient.localpart, domain)
    ):
        return None
    name = without_tag(mailbox, options.separators)
    if name != mailbox and recipients.match(name, domain):
        return None
    return Hit(
        "unknown-recipient",
        mailbox,
        f"mail to {recipient.localpart} not accepted here",
        f"Mail for {recipient.localpart} not accepted at {domain}",
        status="1.1",
    )
