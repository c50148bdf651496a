"""Where everything is in the archive. Pure but for the local time zone.

    DIR/example.org/2026-11-23/{tmp,new,cur}/NAME      a Maildir of the messages to example.org that were held that day
    DIR/example.org/2026-11-23/envelope/NAME.json      what is known of each
    DIR/example.org/today -> 2026-11-23

Whatever a domain or a host is called, it becomes one harmless file name, and never that of another domain.
"""

from __future__ import annotations

import hashlib
import re
import time
from datetime import date
from pathlib import Path
from typing import NamedTuple

KEY = "archive.dir"
TODAY = "today"
# A file name has at most 255 bytes: 40 for the numbers, these, and room for the flags of a mail client.
MAX_DOMAIN_CHARACTERS = 120
MAX_HOST_CHARACTERS = 64

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UNSAFE = re.compile(r"[^0-9a-z_.-]")
_DIGEST_CHARACTERS = 12
_NAME = re.compile(r"(\d{1,12})\.M(\d{6})P\d+Q\d+\.[^/:]+", re.ASCII)


def safe_name(name: str, limit: int = MAX_DOMAIN_CHARACTERS) -> str:
    """Return a domain or host as (a part of) a file name.

    Names of lower-case letters, digits, hyphens, underscores and dots stay as they are. All others get a digest of the
    original, so that no two of them are ever the same.
    """
    safe = _UNSAFE.sub("_", name.lower())
    if safe == name and len(name) <= limit and name.strip(".") == name and name:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{safe.strip('.')[: limit - _DIGEST_CHARACTERS - 1] or '_'}-{digest}"


def day_of(when: float) -> str:
    """Return the local day of a time in seconds since 1970, as `2026-11-23`."""
    return time.strftime("%Y-%m-%d", time.localtime(when))


def day_start(name: str) -> int | None:
    """Return when a day of that name began, in seconds since 1970; None for a name that is not a day."""
    try:
        return int(time.mktime(date.fromisoformat(name).timetuple())) if _DAY.fullmatch(name) else None
    except (ValueError, OverflowError):
        return None


def base_name(file_name: str) -> str:
    """Return a message's name without the flags that mail clients add: `NAME:2,S` is `NAME`."""
    return file_name.partition(":")[0]


def stem(name: str) -> str:
    """Return the part of a name that all copies of one message share: the time and the numbers."""
    return ".".join(name.split(".")[:2])


def time_in(name: str) -> float | None:
    """Return the time in a message's name, in seconds since 1970; None for a name that `store` did not make."""
    found = _NAME.fullmatch(name)
    return int(found[1]) + int(found[2]) / 1_000_000 if found else None


class Day(NamedTuple):
    """One domain's directory for one day."""

    path: Path

    @property
    def root(self) -> Path:
        """The archive's directory."""
        return self.path.parent.parent

    @property
    def domain(self) -> Path:
        """The domain's directory."""
        return self.path.parent

    @property
    def tmp(self) -> Path:
        """Where messages are being written."""
        return self.path / "tmp"

    @property
    def new(self) -> Path:
        """Where messages are, whole."""
        return self.path / "new"

    @property
    def cur(self) -> Path:
        """Where mail clients put those that they have shown."""
        return self.path / "cur"

    @property
    def envelopes(self) -> Path:
        """Where the envelopes are."""
        return self.path / "envelope"

    def envelope(self, name: str) -> Path:
        """Return the path of a message's envelope."""
        return self.envelopes / f"{name}.json"

    @property
    def directories(self) -> tuple[Path, ...]:
        """All of them, in the order in which they are made."""
        return (self.domain, self.path, self.envelopes, self.cur, self.new, self.tmp)
