"""The files that Exim's configuration is made of. Rule: those count that Debian's script reads, and no others."""

from __future__ import annotations

from pathlib import Path

from eximacl.exim import EximConfig, SetupError, find_place
from eximacl.exim.plan import configuration_files

ANSWERS = "update-exim4.conf.conf"


def place() -> EximConfig | None:
    """Return which of Exim's configurations this machine has; None where it has none that we know."""
    try:
        return find_place()
    except SetupError:
        return None


def sources(where: EximConfig) -> list[Path]:
    """Return the files that the next configuration will be made of; for a plain one, the file itself."""
    found = configuration_files(where)
    return found if where.kind == "plain" else [*found, where.etc / ANSWERS]
