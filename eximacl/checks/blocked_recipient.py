"""`blocked_recipient`: recipients that are blocked for a while, by hand or by `bounce_storm`."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

from eximacl.check import Ask, Block, Hit, NoOptions, Outcome, Query, Unknown, check
from eximacl.checks._block_keys import Scope, block_key

# The calendar of `datetime` ends with the year 9999.
_LAST_TIME = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


@check("blocked_recipient", stages={"rcpt"}, options=NoOptions)
async def blocked_recipient(query: Query, options: NoOptions, ask: Ask) -> Outcome:
    """Refuse recipients that `bounce_storm` or `eximacl blocks add` has blocked: their bounces, or all their mail."""
    recipient, sender = query.recipient, query.sender
    if recipient is None or query.elsewhere:
        return None
    scopes: tuple[Scope, ...] = ("all", "bounces") if sender is not None and sender.is_null else ("all",)
    # A tagged address may also be blocked by hand, on its own.
    mailboxes = dict.fromkeys((query.owner, query.mailbox))
    unknown = None
    for scope, mailbox in product(scopes, mailboxes):
        block = await ask.blocked(block_key(scope, mailbox, recipient.domain))
        if isinstance(block, Block):
            return _hit(query.mailbox, recipient.domain, scope, block)
        unknown = unknown or block
    return unknown if isinstance(unknown, Unknown) else None


def _hit(mailbox: str, domain: str, scope: Scope, block: Block) -> Hit:
    what = "bounces" if scope == "bounces" else "mail"
    text = f"{what} to {mailbox} not accepted here for now"
    return Hit(
        "blocked-bounces" if scope == "bounces" else "blocked-recipient",
        f"{_until(block.until)}: {block.why}",
        text,
        f"{what.capitalize()} for {mailbox} not accepted at {domain} for now",
        status="2.1",
    )


def _until(until: float) -> str:
    if until > _LAST_TIME:
        return "for ever"
    return f"until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC"
