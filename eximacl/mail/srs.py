"""Sender rewriting (SRS): the addresses to which bounces to forwarded mail come.

`SRS0=HASH=DAY=DOMAIN=NAME@ours` stands for NAME@DOMAIN, `SRS1=HASH=HOST==…@ours` for the SRS0 address of another
forwarder, HOST (https://www.libsrs2.net/srs/srs.pdf). There are two kinds of hashes: that of Exim's ${srs_encode}
(Exim specification, "String expansions"), and that of libsrs2, which postsrsd makes, too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import NamedTuple

DAY_SECONDS = 86400
# Exim's ${if inbound_srs takes its own addresses for ten days; libsrs2 and postsrsd take theirs for three weeks.
EXIM_DAYS = 10
LIBSRS2_DAYS = 21
# The makers' clocks and ours may differ by this much: around midnight, an address may be of tomorrow.
CLOCK_SECONDS = 300
# All of them write at least four characters.
HASH_CHARACTERS_MIN = 4
# Two letters of base32.
_DAYS = 1024
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_FLAGS = re.IGNORECASE | re.DOTALL | re.ASCII
_SRS0 = re.compile(r"srs0[=+-]([^=]+)=([a-z2-7]{2})=([^=]+)=(.+)", _FLAGS)
_SRS1 = re.compile(r"srs1[=+-]([^=]+)=([^=]+)=([=+-].+)", _FLAGS)


class Rewritten(NamedTuple):
    """An address that stands for one elsewhere.

    address: that one. hash: as it was written. hashed: what libsrs2 makes the hash of. day: the day on which it was
    made, days since 1970 modulo 1024; None for SRS1, whose day is the other forwarder's business.
    """

    address: str
    hash: str
    hashed: tuple[str, ...]
    day: int | None


def parse(localpart: str) -> Rewritten | None:
    """Read a localpart; None if it has not the form of SRS."""
    found = _SRS0.fullmatch(localpart)
    if found:
        written, stamp, domain, name = found.groups()
        first, second = (_BASE32.index(letter) for letter in stamp.lower())
        return Rewritten(f"{name}@{domain}", written, (stamp, domain, name), first * len(_BASE32) + second)
    found = _SRS1.fullmatch(localpart)
    if found:
        written, host, rest = found.groups()
        return Rewritten(f"SRS0{rest}@{host}", written, (host, rest), None)
    return None


def valid_days(rewritten: Rewritten, secrets: Iterable[bytes]) -> int | None:
    """Return for how many days an address is valid that one of the secrets made; None if none of them made it.

    As in libsrs2, the hash may come in another case, since some hosts write localparts in lower case.
    """
    given = rewritten.hash.lower().replace("-", "+").replace("_", "/").encode("utf-8", "surrogateescape")
    if len(given) < HASH_CHARACTERS_MIN:
        return None
    days = None
    for secret in secrets:
        for made, valid in ((_exims(rewritten, secret), EXIM_DAYS), (_libsrs2s(rewritten, secret), LIBSRS2_DAYS)):
            if hmac.compare_digest(made.lower()[: len(given)].encode(), given):
                days = valid
    return days


def is_over(rewritten: Rewritten, days: int, now: float) -> bool:
    """Return whether an address is older than so many days at `now` (seconds since 1970), or of a day to come."""
    if rewritten.day is None:
        return False
    today, soon = int(now) // DAY_SECONDS, int(now + CLOCK_SECONDS) // DAY_SECONDS
    return (soon - rewritten.day) % _DAYS > days + soon - today


def _exims(rewritten: Rewritten, secret: bytes) -> str:
    return hmac.new(secret, _lower(rewritten.address), hashlib.md5).hexdigest()[:HASH_CHARACTERS_MIN]


def _libsrs2s(rewritten: Rewritten, secret: bytes) -> str:
    digest = hmac.new(secret, b"".join(map(_lower, rewritten.hashed)), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")


def _lower(text: str) -> bytes:
    """Return a text with the letters of ASCII in lower case, as the makers do."""
    return text.encode("utf-8", "surrogateescape").lower()
