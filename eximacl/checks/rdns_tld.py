"""`rdns_tld`: the client's reverse name against a list of top-level domains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eximacl.check import Ask, Hit, Outcome, Query, Suffixes, Unknown, check, option
from eximacl.mail.hosts import ip_address


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `rdns_tld`."""

    tlds: Suffixes = option("lists/tld", "Top-level domains and longer suffixes whose hosts are refused: sa, com.br.")
    names: Literal["confirmed", "any"] = option(
        "confirmed",
        "confirmed: only a name that resolves back to the client's address; any: every name that DNS has for it.",
    )


@check("rdns_tld", stages={"connect", "helo", "mail", "rcpt"}, options=Options)
async def rdns_tld(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse clients whose reverse-DNS name ends in a listed top-level domain or longer suffix.

    A client without a reverse name passes; where the look-up was deferred, the result is unknown. The sender's address
    does not matter.
    """
    host = query.host
    if not host:
        return await _unconfirmed(query, options, ask)
    entry = options.tlds.match(host)
    return None if entry is None else _hit(entry)


async def _unconfirmed(query: Query, options: Options, ask: Ask) -> Outcome:
    """Judge a client whose name Exim does not know."""
    address = ip_address(query.ip)
    if options.names == "any" and address is not None and options.tlds.filled:
        names = await ask.reverse_names(str(address))
        if isinstance(names, Unknown):
            return names
        entry = next(filter(None, map(options.tlds.match, names)), None)
        return None if entry is None else _hit(entry)
    return Unknown("the reverse look-up of the client was deferred") if query.host_deferred else None


def _hit(entry: str) -> Hit:
    return Hit("rdns-tld", entry, f"mail from hosts under .{entry} is not accepted here")
