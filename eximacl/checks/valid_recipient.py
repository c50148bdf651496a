"""`valid_recipient`: the recipients that exist. A policy without a list refuses nothing."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Hit, Outcome, Query, Recipients, check, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `valid_recipient`."""

    recipients: Recipients = option(
        [], "The recipients that exist; all others are refused. An empty list refuses nothing."
    )


@check("valid_recipient", stages={"rcpt"}, options=Options, wants_resolved=True)
async def valid_recipient(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse recipients that do not exist.

    A disposable address is judged by its owner's name, a tagged one (steve+tag) by the name before the tag.
    """
    recipient = query.recipient
    recipients = options.recipients
    if recipient is None or not recipients.filled or query.elsewhere:
        return None
    mailbox, domain = query.mailbox, recipient.domain
    # What is listed as it was sent exists, whatever it may stand for.
    if recipients.match(mailbox, domain) or any(recipients.match(name, domain) for name in query.names):
        return None
    return Hit(
        "unknown-recipient",
        mailbox,
        f"mail to {recipient.localpart} not accepted here",
        f"Mail for {recipient.localpart} not accepted at {domain}",
        status="1.1",
    )
