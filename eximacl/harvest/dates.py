"""Dates of Received and Date fields (RFC 5322 section 3.3). Rule: a date that cannot be read or believed is none."""

from __future__ import annotations

import re
from datetime import date

# No mail in a store of today is older; what says so comes from a host whose clock was never set.
EARLIEST_SECONDS = 631_152_000  # 1990-01-01
# Clocks of other hosts go ahead; a day is more than any time zone put wrong.
AHEAD_SECONDS = 86_400

_MONTHS = {name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_NAMES = b"|".join(_MONTHS)
_CLOCK = rb"(\d\d?):(\d\d)(?::(\d\d))?"
_GAP = rb"[\s-]+"
_DATE = re.compile(
    rb"(\d\d?)%b(%b)[a-z]*%b(\d{4}|\d\d)\s+%b\s*([+-]\d{4}|[a-z]+)?" % (_GAP, _NAMES, _GAP, _CLOCK), re.I
)
# The line before each message of an mbox (RFC 4155): `Thu Nov 26 19:08:37 2026`, in UTC.
_ASCTIME = re.compile(rb"(%b)\s+(\d\d?)\s+%b(?:\s+[a-z+0-9-]{1,5})?\s+(\d{4})" % (_NAMES, _CLOCK), re.I)
# RFC 5322 section 4.3; any other name is as good as UTC.
_ZONE_HOURS = {b"est": -5, b"edt": -4, b"cst": -6, b"cdt": -5, b"mst": -7, b"mdt": -6, b"pst": -8, b"pdt": -7}
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def seconds_of(value: bytes) -> int | None:
    """Return the time of a Date field, or of a Received field behind its semicolon, in seconds since 1970; or None."""
    match = _DATE.search(value, value.rfind(b";") + 1)
    if match is None:
        return None
    day, month, year, hour, minute, second, zone = match.groups()
    found = _seconds(_year(year), month, day, hour, minute, second)
    return None if found is None else found - _zone_seconds(zone or b"")


def mbox_seconds_of(line: bytes) -> int | None:
    """Return the time of an mbox's `From ` line, in seconds since 1970; or None."""
    match = _ASCTIME.search(line)
    if match is None:
        return None
    month, day, hour, minute, second, year = match.groups()
    return _seconds(int(year), month, day, hour, minute, second)


def believable(seconds: float | None, now: float) -> bool:
    """Tell whether a mail can be from then."""
    return seconds is not None and EARLIEST_SECONDS <= seconds <= now + AHEAD_SECONDS


def nearest(seconds: int, now: float) -> int:
    """Return the time of a file, or the nearest one that a mail can be from."""
    return max(EARLIEST_SECONDS, min(seconds, int(now)))


def _seconds(year: int, month: bytes, day: bytes, hour: bytes, minute: bytes, second: bytes | None) -> int | None:
    try:
        days = date(year, _MONTHS[month.lower()], int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    return ((days * 24 + int(hour)) * 60 + int(minute)) * 60 + int(second or 0)


def _year(digits: bytes) -> int:
    """Return a year; two digits are read as in RFC 5322 section 4.3."""
    year = int(digits)
    return year if len(digits) > 2 else year + (2000 if year < 50 else 1900)


def _zone_seconds(zone: bytes) -> int:
    if zone[:1] in (b"+", b"-"):
        minutes = int(zone[1:3]) * 60 + int(zone[3:])
        return minutes * 60 * (-1 if zone[:1] == b"-" else 1)
    return _ZONE_HOURS.get(zone.lower(), 0) * 3600
