"""Dates in Received and Date fields (RFC 5322 section 3.3) and in the lines between the messages of an mbox.

A date that cannot be read, or that a message of today's store cannot have, counts as none.
"""

from __future__ import annotations

import re
from datetime import date
from email.utils import parsedate_tz

# No message in a store of today is older; what says so comes from a host whose clock was never set.
EARLIEST_SECONDS = 631_152_000  # 1990-01-01
# The clocks of other hosts may be ahead; a day is more than any wrong time zone makes.
AHEAD_SECONDS = 86_400

# Not a year, although parsedate_tz takes it for 2000. A zone of such digits has a sign before it.
_YEAR_ZERO = re.compile(rb"(?:\s|[a-z]-)00\d\d(?!\d)", re.IGNORECASE)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def seconds_of(value: bytes) -> int | None:
    """Return the time of a Date field, or of a Received field behind its semicolon, in seconds since 1970; or None."""
    found = _seconds(value[value.rfind(b";") + 1 :])
    return None if found is None else found[0] - found[1]


def mbox_seconds_of(line: bytes) -> int | None:
    """Return the time of an mbox's `From ADDRESS Thu Nov 26 19:08:37 2026` line, in seconds since 1970; or None.

    It is in UTC (RFC 4155), whatever zone some programs add.
    """
    found = _seconds(b" ".join(line.split(maxsplit=2)[2:]))
    return None if found is None else found[0]


def believable(seconds: float | None, now: float) -> bool:
    """Return whether a message can be from then."""
    return seconds is not None and EARLIEST_SECONDS <= seconds <= now + AHEAD_SECONDS


def nearest(seconds: int, now: float) -> int:
    """Return the time of a file, or the nearest one that a message can be from."""
    return max(EARLIEST_SECONDS, min(seconds, int(now)))


def _seconds(text: bytes) -> tuple[int, int] | None:
    """Return seconds since 1970 as if the date were in UTC, and the offset of its zone in seconds; or None."""
    try:
        found = parsedate_tz(text.decode("latin-1"))
    except (IndexError, ValueError):  # it stumbles over some texts that are not dates
        return None
    if found is None or (b"00" in text and _YEAR_ZERO.search(text)):
        return None
    year, month, day, hour, minute, second, *_, offset = found
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second
        return None
    try:
        days = date(year, month, day).toordinal() - _EPOCH_DAY  # refuses the 31st of February
    except (ValueError, OverflowError):
        return None
    return ((days * 24 + hour) * 60 + minute) * 60 + second, offset or 0
