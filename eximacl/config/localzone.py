"""The machine's own time zone. Rule: there always is one; where nothing names it, it is UTC."""

from __future__ import annotations

import os
import zoneinfo
from pathlib import Path

from eximacl.system.files import open_regular

LOCALTIME = Path("/etc/localtime")


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
