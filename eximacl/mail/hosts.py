"""A client's address and the names of hosts, as text that came over the wire. Rule: whatever came, nothing raises.

What cannot be an address, or a name in DNS, is None, and the caller says what that means.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TypeAlias

from eximacl.mail.address import canonical_domain

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 1035 section 2.3.4, without the last dot; labels are 63 octets at most. Underscores are no letters of host
# names (RFC 952), but DNS takes them, and honest hosts have them.
_NAME_CHARACTERS = 253
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_V6_LITERAL = "ipv6:"


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


def dns_name(text: str) -> str | None:
    """Return `text` as the canonical name that DNS can be asked for; None if it is none, such as an address."""
    name = canonical_domain(text)
    if len(name) > _NAME_CHARACTERS or not _NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():
        return None
    return name


def literal_address(text: str) -> IPAddress | None:
    """Return the address in an address literal, `[192.0.2.7]` or `[IPv6:2001:db8::7]` (RFC 5321 section 4.1.3)."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    inner = text[1:-1]
    is_v6 = inner.lower().startswith(_V6_LITERAL)
    address = ip_address(inner[len(_V6_LITERAL) :] if is_v6 else inner)
    return address if address is None or is_v6 or "." in inner else None


def list_labels(address: IPAddress) -> str:
    """Return the labels under which a DNS list knows an address (RFC 5782 sections 2.1 and 2.4): `7.2.0.192`."""
    return address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
