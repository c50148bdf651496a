"""`bounce_storm`: bounces to mail that was never sent, counted per recipient in a sliding window."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Hit, Outcome, Patterns, PatternTimeout, Query, Unknown, check, option
from eximacl.checks._block_keys import Scope, block_key, storm_key
from eximacl.mail.senders import untagged

MINUTE_SECONDS = 60.0
# Each bounce rewrites the times of all bounces remembered for its recipient: a thousand are eight kilobytes.
LIMIT_MAX = 1000
_DAY_MINUTES = 1440


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `bounce_storm`."""

    limit: int = option(
        20,
        "How many bounces to one recipient within `minutes` are accepted; one more is a storm.",
        minimum=1,
        maximum=LIMIT_MAX,
    )
    minutes: int = option(10, "How long a bounce counts.", minimum=1, maximum=_DAY_MINUTES)
    block_minutes: int = option(
        60,
        "How long the recipient stays blocked after the last bounce of the storm.",
        minimum=1,
        maximum=7 * _DAY_MINUTES,
    )
    block: Scope = option("bounces", "What is refused meanwhile: the recipient's bounces, or all its mail.")
    auto_replies: Patterns = option(
        [], "Localparts of senders whose mail counts like a bounce: ^mailer-daemon$, ^auto-?reply."
    )


@check("bounce_storm", stages={"rcpt"}, options=Options)
async def bounce_storm(query: Query, options: Options, ask: Ask) -> Outcome:
    """Block a recipient that gets too many bounces, until the storm is over.

    A spammer is using the address as sender, and the bounces come to its owner. `blocked_recipient` refuses them.
    """
    recipient = query.recipient
    if recipient is None or query.elsewhere:
        return None
    try:
        if not _is_answer(query, options.auto_replies):
            return None
    except PatternTimeout as timeout:
        return Unknown(str(timeout))
    mailbox = query.owner
    key = storm_key(mailbox, recipient.domain)
    # One more than the limit: the limit itself still passes.
    seconds = options.minutes * MINUTE_SECONDS
    count = await ask.count_event(key, seconds, options.limit + 1)
    if isinstance(count, Unknown):
        return count
    if count <= options.limit:
        return None
    return await _storm(mailbox, recipient.domain, options, ask)


async def _storm(mailbox: str, domain: str, options: Options, ask: Ask) -> Hit | Unknown:
    """Block the recipient, or extend its block."""
    why = f"over {options.limit} bounces in {options.minutes} min"
    if ask.action != "observe":
        key = block_key(options.block, mailbox, domain)
        blocked = await ask.block(key, options.block_minutes * MINUTE_SECONDS, why)
        if isinstance(blocked, Unknown):
            return blocked
    text = f"too many bounces for {mailbox}, who did not send the original messages"
    sentence = f"Bounces for {mailbox} not accepted at {domain}: {why}"
    return Hit("bounce-storm", f"{mailbox}@{domain}", text, sentence, status="2.1")


def _is_answer(query: Query, auto_replies: Patterns) -> bool:
    """Return whether a program sent this in reply to other mail."""
    sender = query.sender
    if sender is None:
        return False
    if sender.is_null or not auto_replies.filled:
        return sender.is_null
    return auto_replies.search(untagged(sender).localpart.lower()) is not None
