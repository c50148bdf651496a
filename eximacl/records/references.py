"""References: the short ids of decisions, given in the SMTP reply, the logs and the archive.

A reference is a time. Eight characters of Crockford's base 32 (no I, L, O, U, so that it can be read out on
the telephone) hold 40 bits: tenths of a millisecond since EPOCH, which wrap after three and a half years. So
references sort, never repeat inside a process, and show which day's journal holds the decision.
"""

from __future__ import annotations

import re

LENGTH = 8
# 2026-01-01T00:00:00Z, in seconds since 1970. Changing it makes old references point to wrong days.
EPOCH = 1767225600
UNITS_PER_SECOND = 10_000
# A journal may come from a host whose clock is ahead of the reader's.
FUTURE_SECONDS = 86_400.0

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CYCLE = 1 << 40
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
# As an SMTP reply and the logs have it. Without a blank, since Exim folds replies at blanks.
_FROM_A_REPLY = re.compile(r"\A\s*\(?ref=(.*?)\)?\s*\Z", re.IGNORECASE | re.DOTALL)
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class References:
    """Makes the references of one process: strictly increasing, also when the clock stands still or is set back."""

    __slots__ = ("_head", "_head_number", "_last")

    def __init__(self) -> None:
        self._last = -1
        self._head_number = -1
        self._head = ""

    def next(self, now: float) -> str:
        """Return the reference of a decision made at `now` (seconds since 1970)."""
        number = int((now - EPOCH) * UNITS_PER_SECOND)
        if number <= self._last:
            number = self._last + 1
        self._last = number
        head = number >> 10  # changes ten times a second
        if head != self._head_number:
            self._head_number = head
            self._head = _PAIRS[head >> 20 & 1023] + _PAIRS[head >> 10 & 1023] + _PAIRS[head & 1023]
        return self._head + _PAIRS[number & 1023]


def normalise(text: str) -> str:
    """Return a reference as a person typed it, or copied it from a bounce, in its one spelling.

    `7kq2 m9do` and `(ref=7KQ2M9D0)` are `7KQ2M9D0`. Raises ValueError where it cannot be one.
    """
    reference = _FROM_A_REPLY.sub(r"\1", text).upper().translate(_MISREAD)
    wrong = [letter for letter in reference if letter not in _ALPHABET]
    if wrong or len(reference) != LENGTH:
        why = f"{wrong[0]!r} is never in one" if wrong else f"one has {LENGTH} letters and digits, like 7KQ2M9D4"
        raise ValueError(f"{text!r} is not a reference: {why}")
    return reference


def time_of(reference: str, now: float) -> float:
    """Return when a (normalised) reference was made, in seconds since 1970: the latest such time that is not
    after `now`. Off by a moment where many were made in the same tenth of a millisecond."""
    number = 0
    for letter in reference:
        number = number << 5 | _ALPHABET.index(letter)
    latest = int((now + FUTURE_SECONDS - EPOCH) * UNITS_PER_SECOND)
    return EPOCH + (latest - (latest - number) % _CYCLE) / UNITS_PER_SECOND
