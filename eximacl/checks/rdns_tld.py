"""`rdns_tld`: the reverse name of the client against a list of top-level domains. Rule: only that name counts."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Hit, Outcome, Query, Suffixes, Unknown, check, option


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `rdns_tld`."""

    tlds: Suffixes = option("lists/tld", "Top-level domains and longer suffixes whose hosts are refused: sa, com.br.")


@check("rdns_tld", stages={"connect", "helo", "mail", "rcpt"}, options=Options)
async def rdns_tld(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse clients whose reverse-DNS name ends in a listed top-level domain or longer suffix.

    A client without a reverse name passes; one whose look-up was deferred is unknown. The sender's
    address is not looked at.
    """
    host = query.host
    if not host:
        return Unknown("the reverse look-up of the client was deferred") if query.host_deferred else None
    entry = options.tlds.match(host)
    if entry is None:
        return None
    return Hit("rdns-tld", entry, f"mail from hosts under .{entry} is not accepted here")
