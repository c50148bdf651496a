"""What the tests of the diagnoses share: a break of a working set-up, or facts that are given instead of asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from eximacl.doctor import Case, Finding, Level
from eximacl.doctor.sessions import Session, Sessions
from eximacl.exim import Exim
from tests.doctor.breaks import Break
from tests.doctor.world import World
from tests.lab.site import ROOT

SNIPPETS = ROOT / "exim-snippets"
NOW = 1_800_000_000.0
NO_EXIM = Exim(Path("/no/such/exim4"))
CONNECTED = ("220 hello", "250 hello", "250 OK")


class Way(NamedTuple):
    """A break, and the finding that names it. words: a regular expression."""

    broken: Break
    level: Level
    words: str


def prove(world: World, diagnosis: str, way: Way) -> None:
    """Break the world this way: the doctor names it, what it means, and what to do."""
    with way.broken(world) as options:
        found = world.doctor(*(options or ()))
    named = [each for each in found if each["diagnosis"] == diagnosis and each["level"] == way.level]
    assert any(re.search(way.words, each["what"]) for each in named), [each for each in found if each["level"] != "ok"]
    assert all(each["means"] and each["do"] for each in named)


def known(home: Path, policy: str = "", *, exim: Exim = NO_EXIM, **facts: Any) -> Case:
    """Return a case of which these facts are known already; what else Exim is asked fails: there is none.

    policy: what follows the domains in the policy file, which is made in `home`.
    """
    config = home / "eximacl.toml"
    config.write_text(f'[policy]\ndomains = ["example.org"]\n{policy}')
    own = {name: facts.pop(name) for name in ("now", "socket", "smtp", "pid_file") if name in facts}
    case = Case(exim, config, SNIPPETS, **{"now": NOW, **own})
    vars(case).update(facts)
    return case


def held(**sessions: Session) -> Sessions:
    """Return sessions that have been held already."""
    made = Sessions(NO_EXIM, "postmaster@example.org", early=False)
    vars(made).update(sessions)
    return made


def session(*replies: str, asked: str = "") -> Session:
    """Return a session with these replies after the sender's; asked: the stages of its queries."""
    return Session((*CONNECTED, *replies), tuple(f"{stage} v=1\n".encode() for stage in asked.split()), "", True)


def wired(directory: Path = SNIPPETS) -> dict[str, Any]:
    """Return the facts of an Exim that names each snippet in its place."""
    acls = {stage: f"{directory}/{stage}.acl" for stage in ("rcpt", "data", "quit", "notquit")}
    return {"complaint": "", "directory": directory, "acls": acls, "early": False, "settings": {"dir": str(directory)}}


def told(look: Callable[[Case], Iterator[Finding]], case: Case) -> list[tuple[str, str]]:
    """Return level and text of what a diagnosis finds."""
    return [(finding.level, finding.what) for finding in look(case)]
