"""Points in time and spans as people type them: `2026-12-31`, `2026-12-31 14:30`, `2h`, `30d`.

What is ambiguous is refused, with a text that says what is accepted.
"""

from __future__ import annotations

import os
import re
import time
import zoneinfo
from datetime import UTC, datetime
from pathlib import Path

from eximacl.system.files import open_regular

LOCALTIME = Path("/etc/localtime")

# The letters of a span. There is none for a month, which has no fixed length.
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# After it, some time zone is beyond Python's calendar.
TIME_MAX_SECONDS = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
# More digits are a typing error.
SPAN_DIGITS_MAX = 6
_SPAN = re.compile(r"(\d+)\s*([smhdw])", re.ASCII)
_HELP = "give a span such as 2h or 3d, a day such as 2026-12-31, or a time such as 2026-12-31T14:30"


def parse_span(text: str) -> float:
    """Return the seconds of a span: a number and one of s, m, h, d, w. Raises ValueError."""
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is not a span of time; give a number and one of s, m, h, d, w, such as 30d")
    if len(match[1]) > SPAN_DIGITS_MAX:
        raise ValueError(f"{text!r} is too long; the number has at most {SPAN_DIGITS_MAX} digits")
    return float(int(match[1]) * UNIT_SECONDS[match[2]])


def parse_time(text: str, now: float) -> float:
    """Return a point in time, in seconds since 1970: an ISO 8601 time, a day (when it begins), or a span before `now`.

    A time without a zone is the machine's. Raises ValueError.
    """
    if _SPAN.fullmatch(text.strip().lower()):
        return now - parse_span(text)
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is not a time; {_HELP}") from None


def parse_instant(text: str) -> float:
    """Return the seconds since 1970 of an ISO 8601 time with or without a zone, in the years 1970 to 9998 of any zone.

    Raises ValueError.
    """
    when = datetime.fromisoformat(text)
    try:
        seconds = when.timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is outside the calendar") from None
    if not 0 <= seconds < TIME_MAX_SECONDS:
        raise ValueError(f"{text!r} is outside the calendar")
    return seconds


def local(seconds: float) -> str:
    """Return a point in time in the machine's zone, for a table whose heading names that: `2026-12-31 14:30:05`."""
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"


def local_zone(localtime: Path = LOCALTIME) -> zoneinfo.ZoneInfo:
    """Return the machine's time zone: TZ where it names one, else /etc/localtime, else UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if name:
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            pass  # a POSIX rule (`EST5EDT,M3.2.0,…`) or a path: what the C library makes of it, ZoneInfo cannot
    try:
        with open_regular(localtime) as file:
            return zoneinfo.ZoneInfo.from_file(file, key="localtime")
    except OSError:
        return zoneinfo.ZoneInfo("UTC")


def zone_names() -> str:
    """Return the names of the machine's zone, in winter and in summer: `CET/CEST`, or `UTC`."""
    return "/".join(dict.fromkeys(time.tzname if time.daylight else time.tzname[:1]))


def zoned(seconds: float) -> str:
    """Return a point in time as people read it in a sentence: `2026-12-31 14:30:05 CET`."""
    when = datetime.fromtimestamp(seconds).astimezone()
    return f"{when:%Y-%m-%d %H:%M:%S} {when.tzname()}"
