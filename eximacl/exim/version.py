"""Which version of Exim this is, and which holes in it are known.

A distribution mends a hole without another version of Exim, so its package's changelog counts as well.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHANGELOG = Path("/usr/share/doc/exim4-base/changelog.Debian.gz")
# Of Debian's, the newest lines: it has all since 2003, and the holes named here are of 2023 and later.
CHANGELOG_BYTES_MAX = 200_000

Version = tuple[int, ...]


@dataclass(frozen=True)
class Hole:
    """A fault that a stranger can use, in the versions from `since` to the last before `mended` (both upstream's).

    names: as an advisory or a changelog calls it; the first is the one to look up. what: the fault, in a few words.
    built: what `exim4 -bV` prints where this Exim is concerned, a regular expression; empty: all are.
    """

    since: Version
    mended: Version
    names: tuple[str, ...]
    what: str
    built: str = ""


# By the ChangeLog of Exim 4.100.2 and Debian's changelog of 4.98.2-1+deb13u6. Left out: what only a local user or a
# musl libc makes dangerous.
HOLES = (
    Hole((4,), (4, 97, 1), ("CVE-2023-51766",), "SMTP smuggling"),
    Hole((4,), (4, 98), ("CVE-2024-39929",), "file names of attachments that pass filters"),
    Hole((4, 98), (4, 98, 1), ("CVE-2025-26794",), "SQL injection by ETRN", "sqlite"),
    Hole((4, 99), (4, 99, 1), ("CVE-2025-67896",), "a heap overflow by keys of ratelimit", "sqlite"),
    Hole((4,), (4, 99, 2), ("CVE-2026-40685", "CVE-2026-40686"), "reads and writes out of bounds by JSON or UTF-8"),
    Hole((4,), (4, 99, 2), ("CVE-2026-40687",), "writes out of bounds by SPA authentication", r"\bspa\b"),
    Hole(
        (4, 97), (4, 99, 3), ("CVE-2026-45185", "EXIM-Security-2026-05-01.1"), "a use after free by BDAT, with GnuTLS",
        "GnuTLS",
    ),
    Hole(
        (4,), (4, 99, 4), ("CVE-2026-48840", "EXIM-Security-2026-05-19.1"), "a leak of memory by the proxy protocol",
        r"\bPROXY\b",
    ),
    Hole((4, 99), (4, 100, 1), ("CVE-2026-94055", "GCVE-25-2026-09-51-1"), "a use after free in GnuTLS", "GnuTLS"),
    Hole((4,), (4, 100, 1), ("CVE-2026-94057", "GCVE-25-2026-09-56-1"), "SMTP smuggling after a refusal at DATA"),
    Hole((4,), (4, 100, 2), ("GCVE-25-2026-11-82-1",), "a write out of bounds by encoded header lines"),
)  # fmt: skip


def version_of(said: str) -> Version:
    """Return the version that `exim4 -bV` prints; empty where it prints none."""
    found = re.search(r"^Exim version (\d+(?:\.\d+)*)", said, re.MULTILINE)
    return tuple(map(int, found[1].split("."))) if found else ()


def dotted(version: Version) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))


def holes(said: str, changelog: str) -> Iterator[Hole]:
    """Yield the known holes of an Exim that are not mended.

    said: what `exim4 -bV` prints. changelog: of its package; where it has a name of the hole, or the version that
    mended it, the package has the mended code.
    """
    version = version_of(said)
    for hole in HOLES:
        concerned = hole.since <= version < hole.mended and re.search(hole.built, said)
        named = (*hole.names, dotted(hole.mended))
        if concerned and not any(
            re.search(rf"(?i)(?<![\w.]){re.escape(name)}(?![\w]|\.\d)", changelog) for name in named
        ):
            yield hole


def changelog(path: Path = CHANGELOG) -> str:
    """Return the newest part of the package's changelog; empty where there is none, or where it cannot be read."""
    try:
        with gzip.open(path) as file:
            return file.read(CHANGELOG_BYTES_MAX).decode(errors="replace")
    except (OSError, EOFError, zlib.error):
        return ""
