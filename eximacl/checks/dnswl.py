"""`dnswl`: clients that lists in DNS vouch for. It can exempt mail from the checks after it, and never refuses any."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Allowed, Ask, Outcome, Query, Tables, Unknown, check, option
from eximacl.checks._dns_lists import address_questions, consult, detail_of
from eximacl.checks._list_zones import AddressZone, Code, ListOptions, has_no_zones, list_probes, lists_without_effect

# As dnswl.org writes them: the last octet is the trust, 0 (none) to 3 (high); 127.0.0.255 refuses the query.
USUAL_CODES = {"127.0.*.1-3": {}, "127.0.*.0": {"weight": 0}}


@dataclass(frozen=True, kw_only=True)
class DnswlZone(AddressZone):
    """One list. Its name is that of its zone in DNS, in quotes; `{key}` in it stands for the key."""

    codes: Tables[Code] = option(
        USUAL_CODES, "The answers that vouch for a client. Every other answer is an error of the list."
    )


@dataclass(frozen=True, kw_only=True)
class Options(ListOptions):
    """Options of `dnswl`."""

    zones: Tables[DnswlZone] = option([], "The lists: a table for each, or their names where there is nothing to set.")


@check(
    "dnswl",
    stages={"connect", "helo", "mail", "rcpt"},
    options=Options,
    probes=list_probes,
    idle=has_no_zones,
    no_effect=lists_without_effect,
    allows=True,
)
async def dnswl(query: Query, options: Options, ask: Ask) -> Outcome:
    """Exempt clients from the checks after this one if lists of good senders name their IP address (RFC 5782).

    All lists are asked at the same time. An answer that is not one of the zone's codes is an error of the list, and
    exempts nobody.
    """
    listings = await consult(address_questions(options.zones, query), options.threshold, ask)
    if listings is None or isinstance(listings, Unknown):
        return listings
    return Allowed(f"listed by {detail_of(listings.found)}")
