from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Outcome, Query, check, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options."""

    low: int = option(1, "A number.")
    high: int = option(2, "A number.")

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


@check("mine", stages={"rcpt"}, options=Options)
async def run(query: Query, options: Options, ask: Ask) -> Outcome:
    """Object to nothing."""
    return None
