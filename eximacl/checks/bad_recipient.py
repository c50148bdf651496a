"""`bad_recipient`: recipients that are refused although they exist. The narrowest entry decides."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Hit, Messages, Outcome, Query, check, option
from eximacl.mail.address import without_tag


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `bad_recipient`."""

    recipients: Messages = option([], "Recipients that are refused, each with an optional text for the client.")
    everywhere: Messages = option([], "The same; stays in force when a domain's own file sets recipients.")
    separators: str = option("+", "Characters that start a tag: with +, an entry steve also refuses steve+tag.")


@check("bad_recipient", stages={"rcpt"}, options=Options)
async def bad_recipient(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse listed recipients, although they exist.

    The address itself is looked up first, then the owner of a disposable address, then the name before a tag
    (steve+tag).
    """
    recipient = query.recipient
    if recipient is None:
        return None
    localpart, domain = recipient
    found = _entry(options, localpart, domain)
    mailbox = query.mailbox
    if found is None and mailbox != localpart:
        found = _entry(options, mailbox, domain)
    if found is None:
        name = without_tag(mailbox, options.separators)
        found = _entry(options, name, domain) if name != mailbox else None
    if found is None:
        return None
    entry, text = found
    return Hit(
        "bad-recipient",
        entry,
        text or f"mail to {localpart} not accepted here",
        f"Mail for {localpart} not accepted at {domain}",
        status="2.1",
    )


def _entry(options: Options, name: str, domain: str) -> tuple[str, str] | None:
    return options.recipients.match(name, domain) or options.everywhere.match(name, domain)
