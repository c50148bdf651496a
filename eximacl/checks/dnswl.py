"""`dnswl`: clients that lists in DNS vouch for. Rule: it spares a mail the checks after it, and refuses nothing."""

from __future__ import annotations

from dataclasses import dataclass

from eximacl.check import Allowed, Ask, ListProbe, Outcome, Query, Tables, Unknown, check, option
from eximacl.checks._dns_lists import (
    WEIGHT_MAX,
    AddressZone,
    Code,
    address_entries,
    address_probes,
    check_zones,
    consult,
    detail_of,
)
from eximacl.mail.hosts import ip_address

# As dnswl.org writes them: the last octet is the trust, 0 (none) to 3 (high); 127.0.0.255 refuses the query.
USUAL_CODES = {"127.0.*.1-3": {}, "127.0.*.0": {"weight": 0}}


@dataclass(frozen=True, kw_only=True)
class Zone(AddressZone):
    """One list. Its name is that of its zone in DNS, in quotes; `{key}` in it stands for the key."""

    codes: Tables[Code] = option(
        USUAL_CODES, "The answers that vouch for a client. Every other answer is an error of the list's."
    )


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `dnswl`."""

    zones: Tables[Zone] = option([], "The lists: a table for each, or their names where nothing else is to be set.")
    threshold: float = option(
        1, "The client is spared where the weights of its listings reach this.", minimum=0.001, maximum=WEIGHT_MAX
    )

    def __post_init__(self) -> None:
        check_zones(self.zones)


def probes(options: Options) -> list[ListProbe]:
    """Return how to tell whether the lists work."""
    return list(address_probes(options.zones))


def _idle(options: Options) -> bool:
    return not len(options.zones)


@check("dnswl", stages={"connect", "helo", "mail", "rcpt"}, options=Options, probes=probes, idle=_idle)
async def dnswl(query: Query, options: Options, ask: Ask) -> Outcome:
    """Spare clients the checks after this one, where lists of good senders name their IP address (RFC 5782).

    All lists are asked at the same time. An answer that is none of the codes named here is an error: it spares nobody.
    """
    said = await consult(address_entries(options.zones, ip_address(query.ip)), options.threshold, ask)
    if said is None or isinstance(said, Unknown):
        return said
    return Allowed(f"listed by {detail_of(said)}")
