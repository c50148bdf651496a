"""The options of the checks that ask lists in DNS (RFC 5782): the lists, their codes, weights and thresholds."""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from eximacl.check import KEY, Action, ListProbe, Named, Tables, Text, option
from eximacl.mail.address import canonical_domain
from eximacl.mail.dns_lists import Codes, list_labels, parse_codes
from eximacl.mail.entry_list import EntryList
from eximacl.mail.hosts import IPAddress, dns_name

# RFC 1035 section 2.3.4, without the last dot.
NAME_CHARACTERS_MAX = 253
# The name of a list leaves room for the 64 characters of an IPv6 address, and for a key.
ZONE_CHARACTERS_MAX = 120
WEIGHT_MAX = 1000
# Weights are shares of a threshold that people choose, and may be 0.1: their sums are compared rounded.
WEIGHT_DIGITS = 6

_KEY_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)
# RFC 5782 section 5: what a list of addresses always lists, and what it never does.
LISTED, CLEAN = "127.0.0.2", "127.0.0.1"


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

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {"": tuple(self)}

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
        1,
        "Multiplies the zone's weight; 0: a known answer that is not a listing; below 0: it counts against the others.",
        minimum=-WEIGHT_MAX,
        maximum=WEIGHT_MAX,
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
    weight: float = option(
        1,
        "What a listing counts towards the threshold; below 0: a list of good ones, which counts against the others.",
        minimum=-WEIGHT_MAX,
        maximum=WEIGHT_MAX,
    )
    count: Literal["heaviest", "sum"] = option(
        "heaviest", "What counts of several codes in one answer: the heaviest, or the sum of all, each once."
    )
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
    def bounds(self) -> tuple[float, float]:
        """The least and the most that this zone can count."""
        weights = [self.weight * code.weight for code in self.codes]
        join = sum if self.count == "sum" else farthest
        return join(min(weight, 0) for weight in weights), join(max(weight, 0) for weight in weights)

    @property
    def about(self) -> tuple[str, ...]:
        """Which kinds of questions it is asked; the listings of one kind add up. Empty: it is never asked."""
        return ("names",)

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

    private: bool = option(
        False, "Whether it is asked about clients in private networks: for a list of your own. Public ones have none."
    )
    ipv4: bool = option(True, "Whether it lists IPv4 addresses; if not, it is not asked about them.")
    ipv6: bool = option(True, "Whether it lists IPv6 addresses; if not, it is not asked about them.")

    @property
    def about(self) -> tuple[str, ...]:
        return ("IPv4",) * self.ipv4 + ("IPv6",) * self.ipv6

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
        listed, clean = (self.name_for(list_labels(ipaddress.ip_address(point))) for point in (LISTED, CLEAN))
        listed6, clean6 = (
            self.name_for(list_labels(ipaddress.ip_address(f"::ffff:{point}"))) for point in (LISTED, CLEAN)
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


@dataclass(frozen=True, kw_only=True)
class TwoThresholds(ListOptions):
    """Options of a check that may do one thing from a sum on, and another from a higher one."""

    lower_threshold: float = option(
        0, "A smaller sum, from which on `lower_action` is taken; 0: there is none.", minimum=0, maximum=WEIGHT_MAX
    )
    lower_action: Action = option("defer", "What to do between the two thresholds.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lower_threshold >= self.threshold:
            raise ValueError(f"lower_threshold: {self.lower_threshold:g} is not less than threshold")


def list_probes(options: ListOptions) -> list[ListProbe]:
    """Return how to find out whether the lists work."""
    return [probe for zone in options.zones for probe in zone.list_probes]


def has_no_zones(options: ListOptions) -> bool:
    """Whether there is nobody to ask."""
    return not options.zones


def lists_without_effect(options: ListOptions) -> Iterator[str]:
    """Yield a text about each list that is never asked, and each threshold that they cannot reach together."""
    most: dict[str, float] = defaultdict(float)
    for zone in options.zones:
        if not zone.about:
            yield f"zones: {zone.shown} is never asked, since nothing is left that it is asked about"
        for kind in zone.about:
            most[kind] += zone.bounds[1]
    reached = round(max(most.values(), default=0), WEIGHT_DIGITS)
    for name in ("lower_threshold", "threshold") if options.zones else ():
        wanted = getattr(options, name, 0)
        if wanted > reached:
            yield f"{name} = {wanted:g} is never reached: its lists count {reached:g} together at most"


def farthest(weights: Iterable[float]) -> float:
    """Return the weight that is farthest from 0."""
    return max(weights, key=abs, default=0.0)


def name_probe(zone: ListZone, listed: str, clean: str) -> ListProbe:
    """Return how to find out whether a list of names works.

    A list of addresses may have the same zone, and work or not; so the probe is named after its test points, too.
    """
    part = f"{listed}, {clean}"
    return ListProbe(zone.shown, zone.name_for(listed), zone.name_for(clean), zone.key, part)
