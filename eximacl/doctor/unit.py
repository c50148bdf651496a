"""What systemd would give the daemon while none runs: its user, its groups, and what it hides from it."""

from __future__ import annotations

import grp
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from eximacl.doctor.access import USER, Who

UNIT = "eximacl.service"
# systemd answers in milliseconds; nobody waits longer for a line of advice.
ASK_SECONDS = 10.0
# What ProtectHome= hides (systemd.exec(5)).
HOMES = (Path("/home"), Path("/root"), Path("/run/user"))


def properties(command: str = "systemctl") -> Mapping[str, str]:
    """Return the settings of the unit that matter here; empty where there is no systemd or no such unit."""
    wanted = "--property=LoadState,User,SupplementaryGroups,ProtectHome"
    try:
        done = subprocess.run([command, "show", wanted, UNIT], capture_output=True, timeout=ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found = dict(line.partition("=")[::2] for line in done.stdout.decode(errors="replace").splitlines())
    return found if found.get("LoadState") == "loaded" else {}


def unit_user(found: Mapping[str, str]) -> Who | None:
    """Return the user that the daemon would run as, with the unit's groups, too; None where there is no such user."""
    who = Who.of_account(found.get("User") or USER)
    return replace(who, gids=who.gids | _ids(found.get("SupplementaryGroups", ""))) if who else None


def _ids(names: str) -> frozenset[int]:
    known = {group.gr_name: group.gr_gid for group in grp.getgrall()}
    return frozenset(
        known[name] if name in known else int(name) for name in names.split() if name in known or name.isdigit()
    )


def hidden(path: Path, found: Mapping[str, str], view: Path = Path("/")) -> Path | None:
    """Return the directory that hides a path from the daemon; None: nothing does.

    view: the root directory as the running daemon sees it; without one the unit's settings count.
    """
    above = [*reversed(path.absolute().parents), path.absolute()]
    if view == Path("/"):
        homes = HOMES if found.get("ProtectHome", "no") not in ("no", "read-only") else ()
        return next((home for home in homes if home in above), None)
    return next((each for each in above if _is_another(each, view / each.relative_to("/"))), None)


def _is_another(here: Path, there: Path) -> bool:
    """Return whether two paths lead to different files, as far as that can be seen."""
    try:
        ours, theirs = here.stat(), there.stat()
    except OSError:
        return False
    return (ours.st_dev, ours.st_ino) != (theirs.st_dev, theirs.st_ino)
