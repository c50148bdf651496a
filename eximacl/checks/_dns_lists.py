"""Lists in DNS (RFC 5782), for the checks that ask them: what is asked, and what the answers mean.

Only a code that the policy names is a listing. Every other address in an answer, and every failure to answer, is
Unknown: a list reports its own trouble (too many queries, a wrong key, a domain that has been sold) in the same place
as its listings.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Generic, NamedTuple, TypeVar

from eximacl.check import KEY, Ask, ListProbe, Named, Records, Tables, Text, Unknown, option
from eximacl.mail.address import canonical_domain
from eximacl.mail.dns_lists import Codes, list_labels, parse_codes
from eximacl.mail.hosts import IPAddress, dns_name
from eximacl.mail.lists import EntryList

# RFC 1035 section 2.3.4, without the last dot.
NAME_CHARACTERS_MAX = 253
# The name of a list leaves room for the 64 characters of an IPv6 address, and for a key.
ZONE_CHARACTERS_MAX = 120
# What is quoted from a list's TXT record is part of one SMTP reply line of 512 octets.
TXT_CHARACTERS_MAX = 200
# Weights are shares of a threshold that people choose, and may be 0.1: their sums are compared rounded.
WEIGHT_DIGITS = 6
WEIGHT_MAX = 1000

_KEY_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)
# RFC 5782 section 5: what a list of addresses always lists, and what it never does.
_LISTED, _CLEAN = "127.0.0.2", "127.0.0.1"


class ZoneKey(EntryList):
    """The key that a list has given to its customer. It stands in no text that this class makes."""

    kind = "file of a key"
    entry_help = "the key (there is only one)"
    private = True

    __slots__ = ("_key",)

    def replace(self, entries: Iterable[str]) -> None:
        keys = tuple(dict.fromkeys(entries))
        if len(keys) > 1 or (not keys and getattr(self, "filled", False)):
            raise ValueError(f"expected exactly one key, found {len(keys)}")
        if keys and not _KEY_LABEL.fullmatch(keys[0]):
            raise ValueError("the key cannot be part of a DNS name: letters, digits and hyphens, 63 at most")
        self._key = keys[0] if keys else ""
        self.filled = bool(keys)

    def __len__(self) -> int:
        return int(self.filled)

    def __iter__(self) -> Iterator[str]:
        return iter((self._key,) if self._key else ())


class ReplyText(Text):
    """A text for the client."""

    fields = ("zone", "ip", "name", "txt")


@dataclass(frozen=True, kw_only=True)
class Code(Named):
    """Answers of one meaning: an address, a range (127.0.0.2-127.0.0.11), a network, or a pattern (127.0.*.1-3)."""

    weight: float = option(
        1, "Multiplies the zone's weight; 0: a known answer that is not a listing.", minimum=0, maximum=WEIGHT_MAX
    )

    def __post_init__(self) -> None:
        parse_codes(self.name)

    @cached_property
    def codes(self) -> Codes:
        """The answers that have this meaning."""
        return parse_codes(self.name)


@dataclass(frozen=True, kw_only=True)
class TextCode(Code):
    """Answers of one meaning: an address, a range (127.0.0.2-127.0.0.11), a network, or a pattern (127.0.*.1-3)."""

    text: ReplyText = option("", "What the client is told for these; empty: the zone's text.")


@dataclass(frozen=True, kw_only=True)
class ListZone(Named):
    """One list. Its name is that of its zone in DNS, in quotes; `{key}` in it stands for the key."""

    codes: Tables[Code] = option([], "The answers that are listings. Every other answer is an error of the list.")
    weight: float = option(1, "What a listing counts towards the threshold.", minimum=0, maximum=WEIGHT_MAX)
    key: ZoneKey = option("", "The file with the key, which others must not be able to read; empty: no key.")
    probe: bool = option(
        True,
        "Look up the list's test points now and then, and do not use the list while it lists everything, or nothing.",
    )

    def __post_init__(self) -> None:
        name = self.name.replace(KEY, "k")
        if dns_name(name) is None or "." not in name or len(name) > ZONE_CHARACTERS_MAX or self.name.count(KEY) > 1:
            raise ValueError(f"{self.name!r} is not the name of a zone in DNS")
        if KEY in self.name and not self.key.filled:
            raise ValueError(f"key: the zone's name contains {KEY}, so key must name a file with a key in it")
        if self.key.filled and KEY not in self.name:
            raise ValueError(f"key: the zone's name does not say where the key goes; write it as {KEY}.{self.name}")

    @cached_property
    def shown(self) -> str:
        """The zone's name as people and faults know it: canonical, without the key."""
        return canonical_domain(self.name.replace(f"{KEY}.", ""))

    @cached_property
    def heaviest(self) -> float:
        """The most that this zone can count."""
        return self.weight * max((code.weight for code in self.codes), default=0)

    @property
    def list_probes(self) -> tuple[ListProbe, ...]:
        """How to find out whether the list works (RFC 5782 section 5); empty where that is switched off."""
        return ()

    def name_for(self, labels: str) -> str:
        """Return the name to ask for, with `{key}` where the key belongs."""
        return f"{labels}.{self.name}"

    def fits(self, labels: str) -> bool:
        """Whether DNS has names as long as that: what cannot be asked for cannot be listed."""
        return len(self.name_for(labels).replace(KEY, self.secret())) <= NAME_CHARACTERS_MAX

    def secret(self) -> str:
        """Return the key as it is now; empty where there is none."""
        return next(iter(self.key), "") if self.key.filled else ""


@dataclass(frozen=True, kw_only=True)
class AddressZone(ListZone):
    """One list. Its name is that of its zone in DNS, in quotes; `{key}` in it stands for the key."""

    ipv4: bool = option(True, "Whether it lists IPv4 addresses; if not, it is not asked about them.")
    ipv6: bool = option(True, "Whether it lists IPv6 addresses; if not, it is not asked about them.")

    def takes(self, address: IPAddress) -> bool:
        """Whether it is to be asked about an address."""
        return self.ipv4 if address.version == 4 else self.ipv6

    @cached_property
    def probes(self) -> dict[int, ListProbe]:
        """The test points by IP version: 127.0.0.2 is listed, 127.0.0.1 is not; for IPv6 the same, IPv4-mapped.

        Many lists hold IPv4 addresses only, and do not say so anywhere: their IPv6 half is asked for the second only.
        """
        if not self.probe:
            return {}
        listed, clean = (self.name_for(list_labels(ipaddress.ip_address(point))) for point in (_LISTED, _CLEAN))
        listed6, clean6 = (
            self.name_for(list_labels(ipaddress.ip_address(f"::ffff:{point}"))) for point in (_LISTED, _CLEAN)
        )
        of4 = ListProbe(self.shown, listed, clean, self.key)
        of6 = ListProbe(
            self.shown, "" if self.ipv4 else listed6, clean6, self.key, "IPv6" if self.ipv4 else "IPv6 only"
        )
        return {**({4: of4} if self.ipv4 else {}), **({6: of6} if self.ipv6 else {})}

    @property
    def list_probes(self) -> tuple[ListProbe, ...]:
        return tuple(self.probes.values())

    @cached_property
    def probe_names(self) -> dict[int, str]:
        """The probe that says whether answers about clients can be trusted, by the version of their IP address."""
        return {version: probe.name for version, probe in self.probes.items()}


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """Options of a check that asks lists. Each check has its own kind of zone."""

    zones: Tables[ListZone] = option([], "The lists: a table for each, or their names where there is nothing to set.")
    threshold: float = option(
        1, "A hit needs listings whose weights add up to this.", minimum=0.001, maximum=WEIGHT_MAX
    )

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for zone in self.zones:
            if zone.shown in seen:
                raise ValueError(f"zones: {zone.shown} is there twice; a list is asked once")
            seen.add(zone.shown)


def list_probes(options: ListOptions) -> list[ListProbe]:
    """Return how to find out whether the lists work."""
    return [probe for zone in options.zones for probe in zone.list_probes]


def has_no_zones(options: ListOptions) -> bool:
    """Whether there is nobody to ask."""
    return not options.zones


Z_co = TypeVar("Z_co", bound=ListZone, covariant=True)
A = TypeVar("A", bound=AddressZone)


class ListQuestion(NamedTuple, Generic[Z_co]):
    """One question to a list: is `what` on it? labels: `what` as it stands before the zone's name.

    probe: the name of the one that says whether the answer can be trusted; empty: there is none.
    """

    zone: Z_co
    what: str
    labels: str
    probe: str = ""


class ListAnswer(NamedTuple, Generic[Z_co]):
    """What a list says. codes: the listings, the heaviest first; unknown: why nothing is known."""

    question: ListQuestion[Z_co]
    codes: tuple[str, ...] = ()
    weight: float = 0
    unknown: str = ""

    @property
    def zone(self) -> Z_co:
        """The list."""
        return self.question.zone


def address_questions(zones: Iterable[A], address: IPAddress | None) -> list[ListQuestion[A]]:
    """Return what to ask about a client. Nothing about ourselves (127.0.0.1, ::1): these names are test points."""
    if address is None:
        return []
    what, labels = _written(address)
    if not labels:
        return []
    version = address.version
    return [
        ListQuestion(zone, what, labels, zone.probe_names.get(version, "")) for zone in zones if zone.takes(address)
    ]


# Clients come back, and this takes 3 µs.
@lru_cache(maxsize=1024)
def _written(address: IPAddress) -> tuple[str, str]:
    """Return an address, and its labels in a list; no labels where lists are not to be asked about it."""
    return str(address), "" if address.is_loopback else list_labels(address)


async def consult(
    questions: Sequence[ListQuestion[Z_co]], threshold: float, ask: Ask
) -> list[ListAnswer[Z_co]] | Unknown | None:
    """Ask all lists at once. Return the listings, the heaviest first, where their weights reach the threshold.

    Unknown where they do not, but would if each list that could not answer had listed all it was asked about.
    """
    faults = await ask.list_faults(list(dict.fromkeys([question.probe for question in questions if question.probe])))
    sound = [question for question in questions if question.probe not in faults]
    names = [question.zone.name_for(question.labels) for question in sound]
    keys = [question.zone.secret() for question in sound]
    records = await ask.look_up_all([(name, "A") for name in names], keys, of_policy=True)
    if not faults and not any(records):  # as for nearly all mail: absent everywhere
        return None
    answers = [read_answer(question, found) for question, found in zip(sound, records, strict=True)]
    answers += [
        ListAnswer(question, unknown=faults[question.probe]) for question in questions if question.probe in faults
    ]
    return _weighed(answers, threshold)


def read_answer(question: ListQuestion[Z_co], found: Records | Unknown) -> ListAnswer[Z_co]:
    """Return what the records say: a listing where one of them is a code, else Unknown if any is not a known answer."""
    if not found:
        return ListAnswer(question)
    if isinstance(found, Unknown):
        return ListAnswer(question, unknown=found.detail)
    weights = {address: weight_of(question.zone, address) for address in found}
    listed = sorted((one for one, weight in weights.items() if weight), key=lambda one: -(weights[one] or 0))
    if listed:
        return ListAnswer(question, tuple(listed), weights[listed[0]] or 0)
    odd = [address for address, weight in weights.items() if weight is None]
    return ListAnswer(question, unknown=f"its answer {' '.join(odd)} is none of its codes" if odd else "")


def weight_of(zone: ListZone, answer: str) -> float | None:
    """Return what one address in an answer counts; None where it is not a code of the list."""
    code = _code(zone.codes, answer)
    return None if code is None else zone.weight * code.weight


C = TypeVar("C", bound=Code)


def _code(codes: Tables[C], answer: str) -> C | None:
    """Return the first code that covers an answer."""
    return next((code for code in codes if code.codes.covers(answer)), None)


def _weighed(answers: Sequence[ListAnswer[Z_co]], threshold: float) -> list[ListAnswer[Z_co]] | Unknown | None:
    """Weigh each list once, by the heaviest of its listings."""
    # A list is asked once for each name, but counts once: `sure` is what it adds, `possible` what it could have added.
    sure: dict[str, float] = {}
    possible: dict[str, float] = {}
    for one in answers:
        zone = one.zone
        sure[zone.shown] = max(sure.get(zone.shown, 0), one.weight)
        could = zone.heaviest if one.unknown else one.weight
        possible[zone.shown] = max(possible.get(zone.shown, 0), could)
    if round(sum(sure.values()), WEIGHT_DIGITS) >= threshold:
        return sorted((one for one in answers if one.codes), key=lambda one: -one.weight)
    if round(sum(possible.values()), WEIGHT_DIGITS) >= threshold:
        return Unknown("; ".join(dict.fromkeys(f"{one.zone.shown}: {one.unknown}" for one in answers if one.unknown)))
    return None


def detail_of(listings: Iterable[ListAnswer[ListZone]]) -> str:
    """Return the lists with their codes, for the log: `bl.example.net 127.0.0.2, other.example.net 127.0.0.4`."""
    return ", ".join(f"{one.zone.shown} {' '.join(one.codes)}" for one in listings)


async def reply_text(listing: ListAnswer[ListZone], text: str, codes: Tables[TextCode], ip: str, ask: Ask) -> str:
    """Fill the text for the deciding listing. Its TXT record (RFC 5782 section 2.1) is asked for only if named."""
    code = _code(codes, listing.codes[0])
    template = (code.text if code else "") or text
    zone, what = listing.zone, listing.question.what
    txt = ""
    if "{txt}" in template:
        found = await ask.look_up(zone.name_for(listing.question.labels), "TXT", zone.secret(), of_policy=True)
        txt = "" if isinstance(found, Unknown) or not found else found[0][:TXT_CHARACTERS_MAX]
    return template.format(zone=zone.shown, ip=ip, name=what, txt=txt).strip()


def name_probe(zone: ListZone, listed: str, clean: str) -> ListProbe:
    """Return how to find out whether a list of names works.

    A list of addresses may have the same zone, and work or not; so the probe is named after its test points, too.
    """
    part = f"{listed}, {clean}"
    return ListProbe(zone.shown, zone.name_for(listed), zone.name_for(clean), zone.key, part)
