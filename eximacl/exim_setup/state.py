"""What is installed. Rule: it is read from the files and from Exim, never from a note of what was once done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eximacl.exim_setup import wiring
from eximacl.exim_setup.place import Place
from eximacl.exim_setup.planning import read, wired_by_hand
from eximacl.exim_setup.program import Exim
from eximacl.exim_setup.snippets import files_of, fingerprint


@dataclass(frozen=True)
class State:
    """What is installed in a place.

    switched: the switching lines are in the files. in_force: Exim's configuration names our RCPT ACL. directory: the
    snippets that it names. current, changed: they are this version's; or those of no version, changed by hand.
    router: the router is there. by_hand: lines of an admin's that wire it in, `file:line`.
    """

    place: Place
    switched: bool
    in_force: bool
    directory: Path | None
    missing: bool
    current: bool
    changed: bool
    router: bool
    by_hand: tuple[str, ...]


def read_state(place: Place, shipped: Path, exim: Exim) -> State:
    """Find out what is installed."""
    named = exim.lists("eximacl_dir").get("eximacl_dir", "")
    directory = Path(named) if named else None
    there = files_of(directory) if directory else []
    mark = fingerprint(directory) if there and directory else ""
    wanted = fingerprint(shipped)
    routers = exim.run("-bP", "router_list").out.split()
    return State(
        place,
        any(wiring.has_block(read(path) or "") for path in (place.switch,)),
        "eximacl" in exim.options("acl_smtp_rcpt").get("acl_smtp_rcpt", ""),
        directory,
        directory is not None and not there,
        mark == wanted,
        bool(mark)
        and mark != wanted
        and directory is not None
        and len(directory.name) == len(mark)
        and mark != directory.name,
        "eximacl_disposable" in routers,
        tuple(f"{path}:{number}" for path, number in wired_by_hand(place)),
    )
