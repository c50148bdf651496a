"""`rhsbl`: senders, HELO names and hosts whose domain is on lists in DNS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from eximacl.check import Ask, Hit, ListProbe, Outcome, Query, Tables, Unknown, check, option
from eximacl.checks._dns_lists import ListQuestion, consult, detail_of, reply_text
from eximacl.checks._list_zones import (
    ListZone,
    ReplyText,
    TextCode,
    TwoThresholds,
    has_no_zones,
    list_probes,
    lists_without_effect,
    name_probe,
)
from eximacl.mail.address import parents
from eximacl.mail.hosts import dns_name

Name = Literal["sender", "helo", "rdns"]

# As in `dnsbl`, and the same in 127.0.1, which lists of domains prefer.
USUAL_CODES = ["127.0.0.2-127.0.0.254", "127.0.1.2-127.0.1.254"]
# A name has 127 labels at most, and its sender must not choose how much is asked: the shortest parents count.
PARENTS_MAX = 4
_DEFERRED = "the reverse look-up of the client was deferred"


@dataclass(frozen=True, kw_only=True)
class RhsblZone(ListZone):
    """One list. Its name is that of its zone in DNS, in quotes; `{key}` in it stands for the key."""

    codes: Tables[TextCode] = option(
        USUAL_CODES, "The answers that are listings. Every other answer is an error of the list, and never a hit."
    )
    text: ReplyText = option("{name} is listed by {zone}", "What the client is told; {txt} is the list's own text.")
    names: tuple[Name, ...] = option(
        ["sender", "helo", "rdns"],
        "What the list is asked about: the sender's domain, the name in HELO, the client's confirmed reverse name.",
    )
    parents: bool = option(
        False,
        f"Ask about the domains above each name, too, except the top-level domain; the {PARENTS_MAX} shortest at most.",
    )
    listed: str = option("test", "The test point that the list always lists, for `probe`.")
    clean: str = option("invalid", "The test point that it never lists, for `probe`.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("listed", "clean"):
            if dns_name(getattr(self, key)) is None:
                raise ValueError(f"{key}: {getattr(self, key)!r} is not a name in DNS")

    @property
    def about(self) -> tuple[str, ...]:
        return super().about if self.names else ()

    @cached_property
    def list_probes(self) -> tuple[ListProbe, ...]:
        return (name_probe(self, self.listed, self.clean),) if self.probe else ()

    @cached_property
    def probe_name(self) -> str:
        """The probe that says whether the list works; empty: there is none."""
        return self.list_probes[0].name if self.probe else ""


@dataclass(frozen=True, kw_only=True)
class Options(TwoThresholds):
    """Options of `rhsbl`."""

    zones: Tables[RhsblZone] = option([], "The lists: a table for each, or their names where there is nothing to set.")


@check(
    "rhsbl",
    stages={"connect", "helo", "mail", "rcpt"},
    options=Options,
    probes=list_probes,
    idle=has_no_zones,
    no_effect=lists_without_effect,
)
async def rhsbl(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse mail whose sender's domain, HELO name or reverse name is on lists of domains in DNS (RFC 5782 section 3).

    All lists are asked at the same time, about each name once. An answer that is not one of the zone's codes is an
    error of the list, and never a hit.
    """
    questions = [
        ListQuestion(zone, name, name, zone.probe_name) for zone in options.zones for name in _names(query, zone)
    ]
    listings = await consult(questions, options.threshold, ask, options.lower_threshold)
    if isinstance(listings, Unknown):
        return listings
    if listings is None:
        waits = query.host_deferred and any("rdns" in zone.names for zone in options.zones)
        return Unknown(_DEFERRED) if waits else None
    names = " ".join(dict.fromkeys(one.question.what for one in listings.found))
    heaviest = listings.found[0]
    text = await reply_text(heaviest, heaviest.zone.text, heaviest.zone.codes, query.ip, ask)
    hit = Hit("rhsbl-listed", f"{names}: {detail_of(listings.found)}", text)
    return hit._replace(reason="rhsbl-suspect", action=options.lower_action) if listings.is_lower else hit


def _names(query: Query, zone: RhsblZone) -> list[str]:
    """Return the names that a list is asked about, each once, in the order in which the policy names them."""
    texts = {"sender": query.sender.domain if query.sender else "", "helo": query.helo, "rdns": query.host}
    names = dict.fromkeys(name for which in zone.names for name in _asked(texts[which], zone.parents))
    return [name for name in names if zone.fits(name)]


def _asked(text: str, above: bool) -> Iterator[str]:
    name = dns_name(text)
    if name is None or "." not in name:
        return
    yield name
    if above:
        yield from [parent for parent in parents(name) if "." in parent and parent != name][-PARENTS_MAX:]
