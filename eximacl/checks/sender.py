"""`sender`: envelope senders that are refused, each with its own text, for everybody or for one recipient."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Hit, Outcome, PatternTimeout, Query, SenderTexts, Unknown, check, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `sender`."""

    senders: SenderTexts = option([], "Senders that are refused, each with an optional text for the client.")


def _idle(options: Options) -> bool:
    return options.senders.unused


@check("sender", stages={"mail", "rcpt"}, options=Options, idle=_idle)
async def sender(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse listed envelope senders: addresses, whole domains, or patterns; for all recipients, or for one.

    Tags (BATV) make no difference. Bounces pass.
    """
    found, recipient = query.sender, query.recipient
    if found is None or found.is_null or not options.senders.filled:
        return None
    try:
        match = options.senders.match(found, query.names, recipient.domain if recipient else "")
    except PatternTimeout as timeout:
        return Unknown(str(timeout))
    if match is None:
        return None
    entry, text = match
    return Hit("sender", entry, text or f"mail from {found} is not accepted here")
