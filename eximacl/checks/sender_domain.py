"""`sender_domain`: the envelope sender's domain against a list. Bounces have no domain, and pass."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Hit, Outcome, Query, Suffixes, check, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `sender_domain`."""

    domains: Suffixes = option(
        [], "Domains whose mail is refused; each entry covers the domain itself and all below it."
    )


@check("sender_domain", stages={"mail", "rcpt"}, options=Options)
async def sender_domain(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse envelope senders at a listed domain or below it.

    Bounces (the null sender) and senders without a domain pass.
    """
    sender = query.sender
    if sender is None:
        return None
    entry = options.domains.match(sender.domain)
    if entry is None:
        return None
    return Hit("sender-domain", entry, f"mail from senders at {entry} is not accepted here")
