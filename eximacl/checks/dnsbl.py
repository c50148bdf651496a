"""`dnsbl`: clients whose address is on lists in DNS."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Hit, Outcome, Query, Tables, Unknown, check, option
from eximacl.checks._dns_lists import address_questions, consult, detail_of, reply_text
from eximacl.checks._list_zones import (
    AddressZone,
    ReplyText,
    TextCode,
    TwoThresholds,
    has_no_zones,
    list_probes,
    lists_without_effect,
)

# 127.0.0.1 and 127.0.0.255 are errors of some lists. What each code of a list means, its own documentation says.
USUAL_CODES = ["127.0.0.2-127.0.0.254"]


@dataclass(frozen=True, kw_only=True)
class DnsblZone(AddressZone):
    """One list. Its name is that of its zone in DNS, in quotes; `{key}` in it stands for the key."""

    codes: Tables[TextCode] = option(
        USUAL_CODES, "The answers that are listings. Every other answer is an error of the list, and never a hit."
    )
    text: ReplyText = option("{ip} is listed by {zone}", "What the client is told; {txt} is the list's own text.")


@dataclass(frozen=True, kw_only=True)
class Options(TwoThresholds):
    """Options of `dnsbl`."""

    zones: Tables[DnsblZone] = option([], "The lists: a table for each, or their names where there is nothing to set.")


@check(
    "dnsbl",
    stages={"connect", "helo", "mail", "rcpt"},
    options=Options,
    probes=list_probes,
    idle=has_no_zones,
    no_effect=lists_without_effect,
)
async def dnsbl(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse clients whose IP address is on lists in DNS (RFC 5782).

    All lists are asked at the same time, and what they say is added up. An answer that is not one of the zone's codes
    is an error of the list, and never a hit.
    """
    questions = address_questions(options.zones, query)
    listings = await consult(questions, options.threshold, ask, options.lower_threshold)
    if listings is None or isinstance(listings, Unknown):
        return listings
    heaviest = listings.found[0]
    text = await reply_text(heaviest, heaviest.zone.text, heaviest.zone.codes, heaviest.question.what, ask)
    hit = Hit("dnsbl-listed", detail_of(listings.found), text)
    return hit._replace(reason="dnsbl-suspect", action=options.lower_action) if listings.is_lower else hit
