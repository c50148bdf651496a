"""`localpart_pattern`: regular expressions over the recipient's localpart. A slow pattern refuses nothing."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Hit, Outcome, Patterns, PatternTimeout, Query, Unknown, check, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `localpart_pattern`."""

    patterns: Patterns = option("lists/patterns", "Regular expressions; a localpart in which one matches is refused.")


@check("localpart_pattern", stages={"rcpt"}, options=Options, wants_resolved=True)
async def localpart_pattern(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse recipients whose localpart matches one of the patterns.

    A disposable address is judged by its owner's name. If a pattern does not finish in time, the result is unknown.
    """
    recipient = query.recipient
    if recipient is None or query.elsewhere:
        return None
    try:
        pattern = options.patterns.search(query.mailbox)
    except PatternTimeout as timeout:
        return Unknown(str(timeout))
    if pattern is None:
        return None
    return Hit(
        "localpart-pattern",
        pattern,
        f"mail to {recipient.localpart} not accepted here",
        f"Mail for {recipient.localpart} not accepted at {recipient.domain}",
    )
