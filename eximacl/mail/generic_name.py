"""Whether a host's name was made from its address, as providers name the lines of their customers.

Rule: the whole address must be in the name, in one of the spellings that are in use; a part of it is chance.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from eximacl.mail.hosts import IPAddress

# What stands between the parts of an address in a name: 192-0-2-7, 192.0.2.7, 192x0x2x7, 192_0_2_7.
_BETWEEN = "[-._x]"


def holds_address(name: str, address: IPAddress) -> bool:
    """Return whether `name` (canonical) holds `address`: forwards or backwards, in decimals or in hexadecimals."""
    return any(re.search(pattern, name) for pattern in _patterns(address))


def _patterns(address: IPAddress) -> Iterator[str]:
    """Yield what the address looks like in a name; digits before or after it belong to another number."""
    for spelling in _v4(address) if isinstance(address, ipaddress.IPv4Address) else _v6(address):
        yield rf"(?<![0-9a-f]){spelling}(?![0-9a-f])"


def _v4(address: ipaddress.IPv4Address) -> Iterator[str]:
    octets = str(address).split(".")
    for order in (octets, octets[::-1]):
        yield _BETWEEN.join(f"0{{0,2}}{octet}" for octet in order)
        yield "".join(octet.zfill(3) for octet in order)
    yield address.packed.hex()


def _v6(address: ipaddress.IPv6Address) -> Iterator[str]:
    """Whole, as nibbles or groups; the last 64 bits, which tell the hosts of one network apart; or as it is written."""
    groups = address.exploded.split(":")
    nibbles = "".join(groups)
    for order in (nibbles, nibbles[::-1]):
        yield f"{_BETWEEN}?".join(order)
    for part in (groups, groups[4:]):
        if any(group != "0000" for group in part[:-1]):
            yield _BETWEEN.join(f"0{{0,3}}{group.lstrip('0') or '0'}" for group in part)
    yield re.escape(address.compressed.replace("::", "--").replace(":", "-"))
