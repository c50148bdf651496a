"""`bad_recipient`: recipients that are refused although they exist. The narrowest entry decides."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Hit, Messages, Outcome, Query, check, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `bad_recipient`."""

    recipients: Messages = option([], "Recipients that are refused, each with an optional text for the client.")
    everywhere: Messages = option([], "The same; stays in force when a domain's own file sets recipients.")


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
    for name in query.names:
        found = options.recipients.match(name, domain) or options.everywhere.match(name, domain)
        if found is not None:
            entry, text = found
            return Hit(
                "bad-recipient",
                entry,
                text or f"mail to {localpart} not accepted here",
                f"Mail for {localpart} not accepted at {domain}",
                status="2.1",
            )
    return None
