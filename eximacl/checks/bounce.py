"""`bounce`: what no bounce is like: several recipients, or one who never sends mail.

A bounce goes back to the one address that its message came from (RFC 5321 section 4.5.5, RFC 3464 section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eximacl.check import Ask, Hit, Outcome, Query, Recipients, check, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `bounce`."""

    recipients: Recipients = option([], "Recipients that never send mail; bounces to them are refused.")
    several: Literal["off", "observe", "defer"] = option(
        "off", "What to do with further recipients of a bounce, once Exim has accepted one."
    )


def _idle(options: Options) -> bool:
    return options.recipients.unused and options.several == "off"


@check("bounce", stages={"rcpt"}, options=Options, idle=_idle)
async def bounce(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse bounces to recipients that never send mail, and put off all but the first recipient of a bounce.

    A further recipient is never refused for good: its sender delivers it in a message of its own.
    """
    sender, recipient = query.sender, query.recipient
    if sender is None or not sender.is_null or recipient is None:
        return None
    if options.recipients.filled and not query.elsewhere:
        for name in query.names:
            entry = options.recipients.match(name, recipient.domain)
            if entry:
                return _never_sent(entry, query.mailbox, recipient.domain)
    if options.several != "off" and query.values.get("accepted", "0") not in ("", "0"):
        text = "a bounce has one recipient; please send this one a separate message"
        return Hit("bounce-several", str(recipient), text, status="5.3", temporary=True, action=options.several)
    return None


def _never_sent(entry: str, mailbox: str, domain: str) -> Hit:
    why = f"{mailbox} does not send mail"
    return Hit("bounce-never-sent", entry, why, f"Bounce for {mailbox} not accepted at {domain}: {why}")
