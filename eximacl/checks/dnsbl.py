"""`dnsbl`: clients whose address is on lists in DNS."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Ask, Hit, ListProbe, Outcome, Query, Tables, Unknown, check, option
from eximacl.checks._dns_lists import (
    WEIGHT_MAX,
    AddressZone,
    ReplyText,
    TextCode,
    address_entries,
    address_probes,
    check_zones,
    consult,
    detail_of,
    reply_text,
)
from eximacl.mail.hosts import ip_address

# 127.0.0.1 and 127.0.0.255 are errors of some lists. What each code of a list means, its own documentation says.
USUAL_CODES = ["127.0.0.2-127.0.0.254"]


@dataclass(frozen=True, kw_only=True)
class Zone(AddressZone):
    """One list. Its name is that of its zone in DNS, in quotes; `{key}` in it stands for the key."""

    codes: Tables[TextCode] = option(
        USUAL_CODES, "The answers that are listings. Every other answer is an error of the list's, and never a hit."
    )
    text: ReplyText = option("{ip} is listed by {zone}", "What the client is told; {txt} is what the list says itself.")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `dnsbl`."""

    zones: Tables[Zone] = option([], "The lists: a table for each, or their names where nothing else is to be set.")
    threshold: float = option(
        1, "The client is refused where the weights of its listings reach this.", minimum=0.001, maximum=WEIGHT_MAX
    )

    def __post_init__(self) -> None:
        check_zones(self.zones)


def probes(options: Options) -> list[ListProbe]:
    """Return how to tell whether the lists work."""
    return list(address_probes(options.zones))


def _idle(options: Options) -> bool:
    return not len(options.zones)


@check("dnsbl", stages={"connect", "helo", "mail", "rcpt"}, options=Options, probes=probes, idle=_idle)
async def dnsbl(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse clients whose IP address is on lists in DNS (RFC 5782).

    All lists are asked at the same time. What a list answers besides the codes named here is an error, never a hit.
    """
    address = ip_address(query.ip)
    said = await consult(address_entries(options.zones, address), options.threshold, ask)
    if said is None or isinstance(said, Unknown):
        return said
    text = await reply_text(said[0], said[0].zone.text, said[0].zone.codes, str(address), ask)
    return Hit("dnsbl-listed", detail_of(said), text)
