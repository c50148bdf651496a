"""Addresses and names of hosts, as text that came over the wire or stands in a file.

What came over the wire never raises: it is None where it cannot be an address, or a name in DNS, and the caller says
what that means.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from eximacl.mail.address import canonical_domain

if TYPE_CHECKING:
    from publicsuffix2 import PublicSuffixList

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 1035 section 2.3.4, without the last dot; labels are 63 octets at most. Underscores are not allowed in
# host names (RFC 952), but DNS takes them, and honest hosts have them.
_NAME_CHARACTERS = 253
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_LITERAL = re.compile(r"\[\s*+(?:ipv[46]:)?\s*+([^\s\[\]]{1,64})\s*+\]", re.ASCII | re.IGNORECASE)
_OCTET_DIGITS = 3
DNS_PORT = 53
# Anything else is an IPv6 address without a port.
_NAME_SERVER = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::([0-9]{1,5}))?")
# The end of an IPv6 address that is meant as a port: that of DNS, or one that a program beside it would listen on.
_LIKE_PORT = re.compile(r"(.+):(53|[1-9][0-9]{3})", re.ASCII)


# RFC 1918, RFC 6598 (between a provider and its customers), RFC 3927, RFC 4193, RFC 4291; loopback, and "this host".
_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "::/128", "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip


# Several checks ask for the same client's address, which takes 4 µs to read; the next query's is often the same.
@lru_cache(maxsize=1024)
def ip_address(text: str) -> IPAddress | None:
    """Return the address that `text` is, an IPv4 one for an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            address = ipaddress.IPv6Address(int(address))
        return address.ipv4_mapped or address
    return address


def is_private(address: IPAddress) -> bool:
    """Whether an address means another host in each network: private, shared, loopback or link-local ones."""
    return any(address.version == network.version and address in network for network in _PRIVATE)


def dns_name(text: str) -> str | None:
    """Return `text` as the canonical name that DNS can be asked for; None if it is none, such as an address."""
    name = canonical_domain(text)
    if len(name) > _NAME_CHARACTERS or not _NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():
        return None
    return name


def literal_address(text: str) -> IPAddress | None:
    """Return the address in an address literal, `[192.0.2.7]` or `[IPv6:2001:db8::7]` (RFC 5321 section 4.1.3).

    The tag may be missing, and blanks inside the brackets do not count: some clients write `[2001:db8::7]`. Exim takes
    a tag `IPv4:`, too.
    """
    found = _LITERAL.fullmatch(text)
    if not found:
        return None
    groups, colon, last = found[1].rpartition(":")
    if "." in last:
        last = ".".join(map(_plain_octet, last.split(".")))
    return ip_address(f"{groups}{colon}{last}")


def _plain_octet(octet: str) -> str:
    """Return an octet without leading zeros; in a literal it may have them, and is decimal (RFC 5321 `Snum`)."""
    return octet.lstrip("0") or "0" if len(octet) <= _OCTET_DIGITS and octet.isdigit() else octet


def network_of(address: IPAddress, bits4: int, bits6: int) -> str:
    """Return the network of an address, `192.0.2.0/24`, with the prefix length of its kind."""
    return str(ipaddress.ip_network((address, bits4 if address.version == 4 else bits6), strict=False))


class NameServer(NamedTuple):
    """Where a name server is: an IP address and a port."""

    ip: str
    port: int = DNS_PORT

    def __str__(self) -> str:
        if ":" in self.ip:
            return f"[{self.ip}]:{self.port}"
        return self.ip if self.port == DNS_PORT else f"{self.ip}:{self.port}"


def parse_name_server(text: str) -> NameServer:
    """Read `127.0.0.1`, `127.0.0.1:5353`, `::1`, `[::1]` or `[::1]:5353`. Raises ValueError.

    `::1:53` is an address, but people mean a port by its end. So it is refused; `[::1:53]` is not.
    """
    meant = _LIKE_PORT.fullmatch(text)
    if meant and _is_ipv6(meant[1]) and _is_ipv6(text):
        instead = f"did you mean [{meant[1]}]:{meant[2]}? If it is the address, write [{text}]"
        raise ValueError(f"{text!r} is an address without a port: {instead}")
    found = _NAME_SERVER.fullmatch(text)
    ip = (found[1] or found[2]) if found else text
    port = int(found[3]) if found and found[3] else DNS_PORT
    try:
        ipaddress.ip_address(ip)
        if not 0 < port < 65536:
            raise ValueError
    except ValueError:
        expected = "expected an IP address, or one with a port: 127.0.0.1:5353 or [::1]:53"
        raise ValueError(f"{text!r}: {expected}") from None
    return NameServer(ip, port)


def _is_ipv6(text: str) -> bool:
    return ":" in text and ip_address(text) is not None


def registrable_domain(name: str) -> str:
    """Return the part of a canonical host name that was registered: `example.co.uk` of `mx3.out.example.co.uk`.

    It follows from the public suffix list (publicsuffix.org) alone. Empty for a name that the list does not cover, and
    for one such as `co.uk` itself. Takes 2 µs.
    """
    suffixes = _suffixes()
    domain = suffixes.get_sld(name, strict=True)
    if domain is None or domain == suffixes.get_tld(name, strict=True):
        return ""
    return str(domain)


def is_public_suffix(name: str) -> bool:
    """Whether anyone can register below a canonical domain, such as `co.uk` or `github.io` (publicsuffix.org)."""
    return "." not in name or _suffixes().get_tld(name, strict=True) == name


# Reading the list takes 40 ms, and only greylisting and exemptions need it.
@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffix2 import PublicSuffixList

    return PublicSuffixList()
