"""BATV's private signatures (draft-levine-smtp-batv, the `prvs` scheme) as Exim makes them: `prvs=07875fda59=steve@…`.

A tag is valid when Exim's ${prvscheck} accepts it (Exim specification, "String expansions") and its last day is at most
a week ahead; Exim takes any day ahead, so a tag would be good again when the days have gone round. It consists of a
digit, the number of the day on which it ends (days since 1970, modulo 1000), and six digits of an HMAC-SHA1.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import NamedTuple

DAY_SECONDS = 86400
# Exim's ${prvs} makes tags for a week.
VALID_DAYS = 7
# The clock that tags and ours may differ by this much: around midnight, a tag may be of tomorrow.
CLOCK_SECONDS = 300
# Exim's HMAC has no room for longer ones.
KEY_BYTES_MAX = 64
_DAYS = 1000
_TAG_CHARACTERS = 6
# DOTALL: a localpart may contain any character.
_FLAGS = re.IGNORECASE | re.DOTALL | re.ASCII
_PATTERN = re.compile(r"prvs=([0-9])([0-9]{3})([a-f0-9]{6})=(.+)@(.+)", _FLAGS)
# btv1==TAG== is that of Barracuda's gateways, which cannot be verified here.
_TAGS = re.compile(r"(?:prvs=[0-9]{4}[a-f0-9]{6}=|btv1==[a-f0-9]{8,16}==)+(.+)", _FLAGS)


class Tagged(NamedTuple):
    """A tagged address: the address itself, and its tag's key number, day and digits."""

    address: str
    key_number: str
    day: str
    digits: str

    @property
    def localpart(self) -> str:
        """The localpart of the address itself."""
        return self.address.rpartition("@")[0]


def parse(address: str) -> Tagged | None:
    """Read `prvs=…=localpart@domain`; None if the address has no tag."""
    match = _PATTERN.fullmatch(address)
    if match is None:
        return None
    return Tagged(f"{match[4]}@{match[5]}", match[1], match[2], match[3])


def untagged(localpart: str) -> str:
    """Return the localpart without its tag, or all of its tags, since Exim's routers remove each of them.

    Tags of the form btv1==TAG== are taken off, too.
    """
    match = _TAGS.fullmatch(localpart)
    return match[1] if match else localpart


def sign(address: str, key: bytes, now: float, key_number: str = "0") -> str:
    """Return `address` with a tag that is valid for a week, as Exim's ${prvs} does."""
    day = f"{(int(now) // DAY_SECONDS + VALID_DAYS) % _DAYS:03}"
    return f"prvs={key_number}{day}{_digits(address, key, key_number, day)}={address}"


def is_signed(tagged: Tagged, keys: Iterable[bytes]) -> bool:
    """Return whether one of the keys made this tag, in constant time per key."""
    given = tagged.digits.encode()
    made = [_digits(tagged.address, key, tagged.key_number, tagged.day).encode() for key in keys]
    return any(hmac.compare_digest(digits, given) for digits in made)


def is_over(tagged: Tagged, now: float) -> bool:
    """Return whether the tag's last day has passed at `now` (seconds since 1970).

    Days are counted modulo 1000, so a last day that is farther ahead than any tag's is one that has passed.
    """
    today, soon = int(now) // DAY_SECONDS, int(now + CLOCK_SECONDS) // DAY_SECONDS
    return (int(tagged.day) - today) % _DAYS > VALID_DAYS + soon - today


def _digits(address: str, key: bytes, key_number: str, day: str) -> str:
    text = f"{key_number}{day}{address}".encode("utf-8", "surrogateescape")
    return hmac.new(key, text, hashlib.sha1).hexdigest()[:_TAG_CHARACTERS]
