"""`rhsbl`: senders, greetings and hosts whose domain is on lists in DNS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from eximacl.check import Ask, Hit, ListProbe, Outcome, Query, Tables, Unknown, check, option
from eximacl.checks._dns_lists import (
    WEIGHT_MAX,
    Entry,
    ReplyText,
    TextCode,
    check_zones,
    consult,
    detail_of,
    name_probe,
    reply_text,
)
from eximacl.checks._dns_lists import Zone as AnyZone
from eximacl.mail.address import parents
from eximacl.mail.hosts import dns_name

Name = Literal["sender", "helo", "rdns"]

# As in `dnsbl`, and the same with 127.0.1 as lists of domains like to have it.
USUAL_CODES = ["127.0.0.2-127.0.0.254", "127.0.1.2-127.0.1.254"]
# A name has 127 labels at most, and who sends it must not choose how much is asked: the shortest parents count.
PARENTS_MAX = 4
_DEFERRED = "the reverse look-up of the client was deferred"


@dataclass(frozen=True, kw_only=True)
class Zone(AnyZone):
    """One list. Its name is that of its zone in DNS, in quotes; `{key}` in it stands for the key."""

    codes: Tables[TextCode] = option(
        USUAL_CODES, "The answers that are listings. Every other answer is an error of the list's, and never a hit."
    )
    text: ReplyText = option(
        "{name} is listed by {zone}", "What the client is told; {txt} is what the list says itself."
    )
    names: tuple[Name, ...] = option(
        ["sender", "helo", "rdns"],
        "What the list is asked about: the sender's domain, the name in HELO, the client's confirmed reverse name.",
    )
    parents: bool = option(
        False, f"Ask about the domains above each name, too, but the last label; the {PARENTS_MAX} shortest at most."
    )
    listed: str = option("test", "The test point that the list always lists, for `probe`.")
    clean: str = option("invalid", "The test point that it never lists, for `probe`.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("listed", "clean"):
            if dns_name(getattr(self, key)) is None:
                raise ValueError(f"{key}: {getattr(self, key)!r} is not a name in DNS")

    @cached_property
    def probe_name(self) -> str:
        """The probe that tells whether the list works; empty: none does."""
        return name_probe(self, self.listed, self.clean).name if self.probe else ""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `rhsbl`."""

    zones: Tables[Zone] = option([], "The lists: a table for each, or their names where nothing else is to be set.")
    threshold: float = option(
        1, "The client is refused where the weights of its listings reach this.", minimum=0.001, maximum=WEIGHT_MAX
    )

    def __post_init__(self) -> None:
        check_zones(self.zones)


def probes(options: Options) -> list[ListProbe]:
    """Return how to tell whether the lists work (RFC 5782, section 5)."""
    return [name_probe(zone, zone.listed, zone.clean) for zone in options.zones if zone.probe]


def _idle(options: Options) -> bool:
    return not len(options.zones)


@check("rhsbl", stages={"connect", "helo", "mail", "rcpt"}, options=Options, probes=probes, idle=_idle)
async def rhsbl(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse mail whose sender's domain, HELO name or reverse name is on lists of domains in DNS (RFC 5782, section 3).

    All lists are asked at the same time, about each name once. What a list answers besides the codes named here is an
    error, never a hit.
    """
    entries = [Entry(zone, name, name, zone.probe_name) for zone in options.zones for name in _names(query, zone)]
    said = await consult(entries, options.threshold, ask)
    if isinstance(said, Unknown):
        return said
    if said is None:
        waits = query.host_deferred and any("rdns" in zone.names for zone in options.zones)
        return Unknown(_DEFERRED) if waits else None
    names = " ".join(dict.fromkeys(one.entry.what for one in said))
    text = await reply_text(said[0], said[0].zone.text, said[0].zone.codes, query.ip, ask)
    return Hit("rhsbl-listed", f"{names}: {detail_of(said)}", text)


def _names(query: Query, zone: Zone) -> list[str]:
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
