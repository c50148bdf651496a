"""Which Exim a lab runs: the installed one, or Debian's heavy one beside it.

Only one of Debian's exim4-daemon packages can be installed. `make heavy` unpacks the heavy one into a directory; a lab
binds its program over the installed one, in its own mount namespace.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.lab.namespace import Missing
from tests.lab.site import ROOT

EXIM = "/usr/sbin/exim4"
HEAVY = ROOT / "var" / "heavy" / EXIM[1:]
# An environment variable, so that it holds for the programs that a test starts, too.
VARIABLE = "EXIMACL_LAB_EXIM"
INSTALLED = "installed"
DAEMONS = (INSTALLED, "heavy")


def chosen() -> str:
    """Return which daemon the labs of this process run, one of DAEMONS. Raises Missing."""
    name = os.environ.get(VARIABLE) or INSTALLED
    if name not in DAEMONS:
        raise Missing(f"{VARIABLE} is {name!r}; expected one of {', '.join(DAEMONS)}")
    return name


def binds() -> dict[Path, Path]:
    """Return what to bind over what in a lab, for the chosen daemon. Raises Missing where it is not there."""
    if chosen() == INSTALLED:
        return {}
    if not HEAVY.is_file():
        raise Missing(f"{HEAVY} is missing: make heavy")
    return {HEAVY: Path(EXIM)}
