"""The admin's own text for a refusal: a template, and what it may name."""

from __future__ import annotations

from eximacl.policy.outcome import Hit
from eximacl.policy.query import Query

# What a `message` template may name.
MESSAGE_FIELDS = ("ip", "host", "helo", "sender", "recipient", "localpart", "domain", "detail", "reason")


def fill(template: str, query: Query, hit: Hit) -> str:
    """Fill a `message` template; the config has made sure that it names MESSAGE_FIELDS only."""
    recipient = query.recipient
    return template.format_map(
        {
            "ip": query.ip,
            "host": query.host or "Unknown",
            "helo": query.helo,
            "sender": str(query.sender or ""),
            "recipient": str(recipient or ""),
            "localpart": recipient.localpart if recipient else "",
            "domain": recipient.domain if recipient else "",
            "detail": hit.detail,
            "reason": hit.reason,
        }
    )
