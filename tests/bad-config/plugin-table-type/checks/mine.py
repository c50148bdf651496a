from dataclasses import dataclass

from eximacl.check import Ask, Named, Outcome, Query, Tables, check, option


@dataclass(frozen=True, kw_only=True)
class Zone(Named):
    limit: complex = option(1, "The limit.")


@dataclass(frozen=True, kw_only=True)
class Options:
    zones: Tables[Zone] = option([], "The zones.")


@check("mine", stages={"rcpt"}, options=Options)
async def mine(query: Query, options: Options, ask: Ask) -> Outcome:
    """Object to nothing."""
    return None
