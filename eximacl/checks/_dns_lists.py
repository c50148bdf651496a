"""Lists in DNS (RFC 5782): what is asked of them, and what their answers mean.

Rule: only a code that the policy names is a listing. Every other answer, and none at all, is Unknown: lists tell of
their own trouble (too many queries, a wrong key, a domain that has been sold) in the same place as of listings.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Generic, NamedTuple, TypeVar

from eximacl.check import Ask, ListProbe, Named, Tables, Text, Unknown, option
from eximacl.mail.address import canonical_domain
from eximacl.mail.hosts import IPAddress, dns_name, list_labels
from eximacl.mail.lists import EntryList
from eximacl.policy.questions import KEY, Records

# What a list may answer (RFC 5782, section 2.1); the part of it in which Spamhaus and others tell of errors is no
# listing, whatever the policy names.
LISTED = ipaddress.IPv4Network("127.0.0.0/8")
ERRORS = ipaddress.IPv4Network("127.255.255.0/24")

# RFC 1035, section 2.3.4, without the last dot.
NAME_CHARACTERS_MAX = 253
# The name of a list leaves room for the 64 characters of an IPv6 address, and for a key.
ZONE_CHARACTERS_MAX = 120
# What is quoted from a list's TXT record is part of one SMTP reply line of 512 octets.
TXT_CHARACTERS_MAX = 200
# Weights are shares of a threshold that people choose, and may be 0.1: sums of such are compared rounded.
WEIGHT_DIGITS = 6
WEIGHT_MAX = 1000

_KEY_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)
_OCTETS = re.compile(r"\.".join([r"(\*|[0-9]{1,3}(?:-[0-9]{1,3})?)"] * 4), re.ASCII)
_MASK_HELP = (
    "expected an address (127.0.0.2), a range (127.0.0.2-127.0.0.11), a network (127.0.0.0/24) or a pattern "
    "(127.0.*.1-3), all within 127.0.0.0/8"
)
# RFC 5782, section 5: what a list of addresses always lists, and what it never does.
_LISTED, _CLEAN = "127.0.0.2", "127.0.0.1"


class ZoneKey(EntryList):
    """The key that a list has given to its customer. No text that it makes shows it."""

    kind = "file of a key"
    entry_help = "the key, of which there is one"
    private = True

    __slots__ = ("_key",)

    def replace(self, entries: Iterable[str]) -> None:
        keys = tuple(dict.fromkeys(entries))
        if len(keys) > 1 or (not keys and getattr(self, "filled", False)):
            raise ValueError(f"it holds {len(keys)} keys; write the one that counts into it")
        if keys and not _KEY_LABEL.fullmatch(keys[0]):
            raise ValueError("the key cannot be a part of a DNS name: letters, digits and hyphens, 63 at most")
        self._key = keys[0] if keys else ""
        self.filled = bool(keys)

    def __len__(self) -> int:
        return int(self.filled)

    def __iter__(self) -> Iterator[str]:
        return iter((self._key,) if self._key else ())


class ReplyText(Text):
    """A text for the client."""

    fields = ("zone", "ip", "name", "txt")


class _Mask(NamedTuple):
    low: int
    high: int
    octets: tuple[range, ...] = ()

    def covers(self, address: int) -> bool:
        if not self.low <= address <= self.high:
            return False
        return all(octet in allowed for octet, allowed in zip(address.to_bytes(4, "big"), self.octets, strict=False))


def _mask(text: str) -> _Mask:
    """Raise ValueError on what is no mask."""
    try:
        mask = _span(text) or _pattern(text)
    except ValueError:
        mask = None
    first, last = int(LISTED.network_address), int(LISTED.broadcast_address)
    if mask is None or not first <= mask.low <= mask.high <= last:
        raise ValueError(f"{text!r}: {_MASK_HELP}")
    if mask.low >= int(ERRORS.network_address) and mask.high <= int(ERRORS.broadcast_address):
        raise ValueError(f"{text!r}: lists tell of errors by {ERRORS}, so these are never a listing; leave it out")
    return mask


def _span(text: str) -> _Mask | None:
    """Return an address, a network, or a range of two addresses; None: it may be a pattern."""
    low, hyphen, high = text.partition("-")
    if low.count(".") == high.count(".") == 3:
        return _Mask(int(ipaddress.IPv4Address(low)), int(ipaddress.IPv4Address(high)))
    if hyphen or "*" in text:
        return None
    network = ipaddress.IPv4Network(text)
    return _Mask(int(network.network_address), int(network.broadcast_address))


def _pattern(text: str) -> _Mask | None:
    match = _OCTETS.fullmatch(text)
    if match is None:
        return None
    octets = tuple(_octet(part) for part in match.groups())
    if not all(octets):
        return None
    low, high = (bytes(octet[end] for octet in octets) for end in (0, -1))
    return _Mask(int.from_bytes(low, "big"), int.from_bytes(high, "big"), octets)


def _octet(text: str) -> range:
    """Return the values of one octet; none where it is not one."""
    if text == "*":
        return range(256)
    low, _, high = text.partition("-")
    last = int(high or low)
    return range(int(low), last + 1) if last < 256 else range(0)


@dataclass(frozen=True, kw_only=True)
class Code(Named):
    """The codes of one meaning: an address, a range (127.0.0.2-127.0.0.11), a network, or a pattern (127.0.*.1-3)."""

    weight: float = option(
        1, "The zone's weight is multiplied by it; 0: known, but no listing.", minimum=0, maximum=WEIGHT_MAX
    )

    def __post_init__(self) -> None:
        _mask(self.name)

    @cached_property
    def mask(self) -> _Mask:
        """Which answers have this meaning."""
        return _mask(self.name)


@dataclass(frozen=True, kw_only=True)
class TextCode(Code):
    """The codes of one meaning: an address, a range (127.0.0.2-127.0.0.11), a network, or a pattern (127.0.*.1-3)."""

    text: ReplyText = option("", "The text for these; empty: the zone's.")


@dataclass(frozen=True, kw_only=True)
class Zone(Named):
    """One list. Its name is that of its zone in DNS, in quotes; `{key}` in it stands for the key."""

    codes: Tables[Code] = option([], "The answers that are listings. Every other answer is an error of the list's.")
    weight: float = option(1, "What a listing counts towards the threshold.", minimum=0, maximum=WEIGHT_MAX)
    key: ZoneKey = option("", "The file that holds the key, which others must not be able to read; empty: none.")
    probe: bool = option(
        True, "Ask now and then for the list's test points, and leave it alone while it lists everybody, or nobody."
    )

    def __post_init__(self) -> None:
        name = self.name.replace(KEY, "k")
        if dns_name(name) is None or "." not in name or len(name) > ZONE_CHARACTERS_MAX or self.name.count(KEY) > 1:
            raise ValueError(f"{self.name!r} is not the name of a zone in DNS")
        if KEY in self.name and not self.key.filled:
            raise ValueError(f"key: the name holds {KEY}, so key must name a file with a key in it")
        if self.key.filled and KEY not in self.name:
            raise ValueError(f"key: the name does not say where the key stands; write it as {KEY}.{self.name}")

    @cached_property
    def shown(self) -> str:
        """The zone's name as people and faults know it: canonical, without the key."""
        return canonical_domain(self.name.replace(f"{KEY}.", ""))

    @cached_property
    def heaviest(self) -> float:
        """The most that this zone can count."""
        return self.weight * max((code.weight for code in self.codes), default=0)

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
class AddressZone(Zone):
    """One list. Its name is that of its zone in DNS, in quotes; `{key}` in it stands for the key."""

    ipv4: bool = option(True, "Whether it lists IPv4 addresses; if not, it is not asked about them.")
    ipv6: bool = option(True, "Whether it lists IPv6 addresses; if not, it is not asked about them.")

    def takes(self, address: IPAddress) -> bool:
        """Whether it is to be asked about an address."""
        return self.ipv4 if address.version == 4 else self.ipv6

    @cached_property
    def probes(self) -> dict[int, ListProbe]:
        """The test points by the version of IP: 127.0.0.2 is listed, 127.0.0.1 is not; for IPv6 the same, IPv4-mapped.

        Many a list has IPv4 addresses only, and says so nowhere: of IPv6 it then is asked for the second only.
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

    @cached_property
    def probe_names(self) -> dict[int, str]:
        """The probe that tells about clients, by the version of their IP address."""
        return {version: probe.name for version, probe in self.probes.items()}


Z_co = TypeVar("Z_co", bound=Zone, covariant=True)
A = TypeVar("A", bound=AddressZone)


class Entry(NamedTuple, Generic[Z_co]):
    """One question to a list: is `what` on it? labels: `what` as it stands before the zone's name.

    probe: the name of the one that tells whether the answer can be trusted; empty: none does.
    """

    zone: Z_co
    what: str
    labels: str
    probe: str = ""


class Said(NamedTuple, Generic[Z_co]):
    """What a list said about one entry. codes: the listings, the heaviest first; unknown: why there is no telling."""

    entry: Entry[Z_co]
    codes: tuple[str, ...] = ()
    weight: float = 0
    unknown: str = ""

    @property
    def zone(self) -> Z_co:
        """The list."""
        return self.entry.zone


def address_entries(zones: Iterable[A], address: IPAddress | None) -> list[Entry[A]]:
    """Return what is to be asked about a client. About ourselves (127.0.0.1, ::1) nothing: there stand test points."""
    if address is None:
        return []
    what, labels = _written(address)
    if not labels:
        return []
    version = address.version
    return [Entry(zone, what, labels, zone.probe_names.get(version, "")) for zone in zones if zone.takes(address)]


# Clients come back, and this takes 3 µs.
@lru_cache(maxsize=1024)
def _written(address: IPAddress) -> tuple[str, str]:
    """Return an address, and its labels in a list; no labels where lists are not to be asked about it."""
    return str(address), "" if address.is_loopback else list_labels(address)


async def consult(entries: Sequence[Entry[Z_co]], threshold: float, ask: Ask) -> list[Said[Z_co]] | Unknown | None:
    """Ask all lists at once. Return the listings, the heaviest first, where their weights reach the threshold.

    Unknown where they do not, but would if each list that could not tell had listed all it was asked about.
    """
    faults = await ask.list_faults(list(dict.fromkeys([entry.probe for entry in entries if entry.probe])))
    sound = [entry for entry in entries if entry.probe not in faults]
    names = [entry.zone.name_for(entry.labels) for entry in sound]
    answers = await ask.look_up_all([(name, "A") for name in names], [entry.zone.secret() for entry in sound])
    if not faults and not any(answers):  # as for nearly all mail: absent everywhere
        return None
    said = [read_answer(entry, answer) for entry, answer in zip(sound, answers, strict=True)]
    said += [Said(entry, unknown=faults[entry.probe]) for entry in entries if entry.probe in faults]
    return _weighed(said, threshold)


def read_answer(entry: Entry[Z_co], answer: Records | Unknown) -> Said[Z_co]:
    """Return what a list's answer says: a listing where one of its codes is in the mask, else Unknown if any is odd."""
    if not answer:
        return Said(entry)
    if isinstance(answer, Unknown):
        return Said(entry, unknown=answer.detail)
    weights = {code: weight_of(entry.zone, code) for code in answer}
    listed = sorted((code for code, weight in weights.items() if weight), key=lambda code: -(weights[code] or 0))
    if listed:
        return Said(entry, tuple(listed), weights[listed[0]] or 0)
    odd = [code for code, weight in weights.items() if weight is None]
    return Said(entry, unknown=f"its answer {' '.join(odd)} is none of its codes" if odd else "")


def weight_of(zone: Zone, answer: str) -> float | None:
    """Return what one address in an answer counts; None where it is no code of the list's."""
    code = _code(zone.codes, answer)
    return None if code is None else zone.weight * code.weight


C = TypeVar("C", bound=Code)


def _code(codes: Tables[C], answer: str) -> C | None:
    """Return the first entry that covers an answer. An error is never covered."""
    address = ipaddress.IPv4Address(answer)
    if address in ERRORS:
        return None
    number = int(address)
    return next((code for code in codes if code.mask.covers(number)), None)


def _weighed(said: Sequence[Said[Z_co]], threshold: float) -> list[Said[Z_co]] | Unknown | None:
    """Weigh each list once, by the heaviest of its listings."""
    sure: dict[str, float] = {}
    possible: dict[str, float] = {}
    for one in said:
        zone = one.zone
        sure[zone.shown] = max(sure.get(zone.shown, 0), one.weight)
        could = zone.heaviest if one.unknown else one.weight
        possible[zone.shown] = max(possible.get(zone.shown, 0), could)
    if round(sum(sure.values()), WEIGHT_DIGITS) >= threshold:
        return sorted((one for one in said if one.codes), key=lambda one: -one.weight)
    if round(sum(possible.values()), WEIGHT_DIGITS) >= threshold:
        return Unknown("; ".join(dict.fromkeys(f"{one.zone.shown}: {one.unknown}" for one in said if one.unknown)))
    return None


def detail_of(said: Iterable[Said[Zone]]) -> str:
    """Return the lists with their codes, for the log: `bl.example.net 127.0.0.2, other.example.net 127.0.0.4`."""
    return ", ".join(f"{one.zone.shown} {' '.join(one.codes)}" for one in said)


async def reply_text(said: Said[Zone], text: str, codes: Tables[TextCode], ip: str, ask: Ask) -> str:
    """Fill the text for the deciding listing. Its TXT record (RFC 5782, section 2.1) is asked for only if named."""
    code = _code(codes, said.codes[0])
    template = (code.text if code else "") or text
    zone, what = said.zone, said.entry.what
    txt = ""
    if "{txt}" in template:
        found = await ask.look_up(zone.name_for(said.entry.labels), "TXT", zone.secret())
        txt = "" if isinstance(found, Unknown) or not found else found[0][:TXT_CHARACTERS_MAX]
    return template.format(zone=zone.shown, ip=ip, name=what, txt=txt).strip()


def check_zones(zones: Iterable[Zone]) -> None:
    """Refuse two lists of the same name. Raises ValueError."""
    seen: set[str] = set()
    for zone in zones:
        if zone.shown in seen:
            raise ValueError(f"zones: {zone.shown} is there twice; a list is asked once")
        seen.add(zone.shown)


def address_probes(zones: Iterable[AddressZone]) -> Iterator[ListProbe]:
    """Yield how to tell whether lists of addresses work."""
    for zone in zones:
        yield from zone.probes.values()


def name_probe(zone: Zone, listed: str, clean: str) -> ListProbe:
    """Return how to tell whether a list of names works; a list of addresses may have the same zone, and work or not."""
    part = f"{listed}, {clean}"
    return ListProbe(zone.shown, zone.name_for(listed), zone.name_for(clean), zone.key, part)
