"""The files that Exim's configuration is made of. Rule: those count that Debian's script reads, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from eximacl.exim_setup import Place, SetupError, find_place
from eximacl.exim_setup.planning import configuration_files, read
from eximacl.exim_setup.wiring import BEGIN, END

# The names that run-parts(8) takes, as update-exim4.conf(8) does; not 99_x.dpkg-dist, nor an editor's 00_x~.
_TAKEN = re.compile(r"[A-Za-z0-9_-]+")
ANSWERS = "update-exim4.conf.conf"


def place() -> Place | None:
    """Return which of Exim's configurations this machine has; None where it has none that we know."""
    try:
        return find_place()
    except SetupError:
        return None


def sources(where: Place) -> list[Path]:
    """Return the files that the next configuration will be made of; for a plain one, the file itself."""
    found = configuration_files(where)
    if where.kind == "plain":
        return found
    if where.kind == "split":
        found = [path for path in found if _TAKEN.fullmatch(path.name)]
    return [*found, where.etc / ANSWERS]


def settings_of(where: Place, name: str) -> list[str]:
    """Return where an admin sets an option or a macro, each as `FILE:LINE`; Debian's and our own defaults are none."""
    return [f"{path}:{number}" for path in sources(where) for number in _lines_of(read(path) or "", name)]


def _lines_of(text: str, name: str) -> Iterator[int]:
    ours = False
    for number, (above, line) in enumerate(pairwise(["", *text.splitlines()]), 1):
        ours = line == BEGIN or (ours and line != END)
        default = re.match(rf"\s*\.ifndef\s+{name}\s*$", above)
        if not ours and not default and re.match(rf"\s*{name}\s*=", line):
            yield number


def lines_with(where: Place, wanted: str) -> list[str]:
    """Return where a line stands with just this text, each as `FILE:LINE`."""
    return [
        f"{path}:{number}"
        for path in sources(where)
        for number, line in enumerate((read(path) or "").splitlines(), 1)
        if line.strip() == wanted
    ]
