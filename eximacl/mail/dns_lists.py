"""Lists in DNS (RFC 5782): the labels of an address in them, and what the addresses that they answer mean.

A list reports its own trouble (too many queries, a wrong key) in the same place as its listings: as an address.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from eximacl.mail.hosts import IPAddress

# What a list may answer (RFC 5782 section 2.1).
LISTINGS = ipaddress.IPv4Network("127.0.0.0/8")
# The part of it in which Spamhaus and others report errors; never a listing, whatever the policy says.
ERRORS = ipaddress.IPv4Network("127.255.255.0/24")

_OCTETS = re.compile(r"\.".join([r"(\*|[0-9]{1,3}(?:-[0-9]{1,3})?)"] * 4), re.ASCII)
_CODES_HELP = (
    "expected an address (127.0.0.2), a range (127.0.0.2-127.0.0.11), a network (127.0.0.0/24) or a pattern "
    "(127.0.*.1-3), all within 127.0.0.0/8"
)


def list_labels(address: IPAddress) -> str:
    """Return the labels under which a list knows an address (RFC 5782 sections 2.1 and 2.4): `7.2.0.192`."""
    return address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def is_error(answer: str) -> bool:
    """Return whether an address in a list's answer reports an error of the list."""
    return ipaddress.IPv4Address(answer) in ERRORS


def is_listing(answer: str) -> bool:
    """Return whether an address in a list's answer can be a listing: it is in 127.0.0.0/8, and not an error."""
    return ipaddress.IPv4Address(answer) in LISTINGS and not is_error(answer)


class Codes(NamedTuple):
    """A set of addresses that a list answers. octets: empty, or what each of the four may be."""

    low: int
    high: int
    octets: tuple[range, ...] = ()

    def covers(self, answer: str) -> bool:
        """Return whether an answered address is one of these. An error never is."""
        if is_error(answer):
            return False
        address = int(ipaddress.IPv4Address(answer))
        if not self.low <= address <= self.high:
            return False
        return all(octet in allowed for octet, allowed in zip(address.to_bytes(4, "big"), self.octets, strict=False))


def parse_codes(text: str) -> Codes:
    """Read an address, a range, a network or a pattern. Raises ValueError with a text for the admin."""
    try:
        codes = _span(text) or _pattern(text)
    except ValueError:
        codes = None
    first, last = int(LISTINGS.network_address), int(LISTINGS.broadcast_address)
    if codes is None or not first <= codes.low <= codes.high <= last:
        raise ValueError(f"{text!r}: {_CODES_HELP}")
    if codes.low >= int(ERRORS.network_address) and codes.high <= int(ERRORS.broadcast_address):
        raise ValueError(f"{text!r}: lists report errors by {ERRORS}, so these are never a listing; leave it out")
    return codes


def _span(text: str) -> Codes | None:
    """Return an address, a network, or a range of two addresses; None: it may be a pattern."""
    low, hyphen, high = text.partition("-")
    if low.count(".") == high.count(".") == 3:
        return Codes(int(ipaddress.IPv4Address(low)), int(ipaddress.IPv4Address(high)))
    if hyphen or "*" in text:
        return None
    network = ipaddress.IPv4Network(text)
    return Codes(int(network.network_address), int(network.broadcast_address))


def _pattern(text: str) -> Codes | None:
    match = _OCTETS.fullmatch(text)
    if match is None:
        return None
    octets = tuple(_octet(part) for part in match.groups())
    if not all(octets):
        return None
    low, high = (bytes(octet[end] for octet in octets) for end in (0, -1))
    return Codes(int.from_bytes(low, "big"), int.from_bytes(high, "big"), octets)


def _octet(text: str) -> range:
    """Return the values that one octet may have; none where `text` is not a number, a range or `*`."""
    if text == "*":
        return range(256)
    low, _, high = text.partition("-")
    last = int(high or low)
    return range(int(low), last + 1) if last < 256 else range(0)
