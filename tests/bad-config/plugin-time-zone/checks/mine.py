from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from eximacl.check import Ask, Outcome, Query, check, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options."""

    zone: ZoneInfo = option("", "A time zone.")


@check("mine", stages={"rcpt"}, options=Options)
async def run(query: Query, options: Options, ask: Ask) -> Outcome:
    """Object to nothing."""
    return None
