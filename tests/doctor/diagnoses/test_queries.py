"""A stage at which Exim does not ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.fallback import fallback
from eximacl.doctor.diagnoses.queries import queries
from eximacl.doctor.diagnoses.verdicts import verdicts
from eximacl.doctor.sessions import Session
from tests.doctor.breaks import setting, snippet
from tests.doctor.proof import Way, held, known, prove, session, told, wired
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "nothing asked at DATA": Way(
        snippet("want.acl", "accept\n", "accept set acl_m_eximacl_want =\n"), "problem", "did not ask at DATA"
    ),
    "nothing asked at RCPT": Way(
        snippet("rcpt.acl", "warn    control = caseful", "accept\nwarn    control = caseful"),
        "problem",
        "did not ask about a recipient",
    ),
    "nothing told at the end": Way(
        snippet("quit.acl", "warn    acl", "accept\nwarn    acl"), "problem", "not ask at: end"
    ),
    "no client is asked about": Way(setting("EXIMACL_SKIP_HOSTS = *"), "problem", "did not ask about a recipient"),
    "the site's own rules want a name": Way(
        setting("helo_verify_hosts = *"), "warning", "whether Exim asks could not be tried: .* 550 "
    ),
    "the postmaster is refused": Way(
        setting("CHECK_RCPT_LOCAL_LOCALPARTS = postmaster"), "warning", "your own rules refuse postmaster@"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "queries", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("queries") == {"ok"}


HELD = [
    ("rcpt end", "rcpt data", [], ["ok", "ok"]),
    ("rcpt", "rcpt data", [], ["problem", "ok"]),
    ("rcpt end", "rcpt", ["250 OK", "354 go on", "250 taken"], ["ok", "problem"]),
    ("rcpt end", "rcpt", ["550 not here"], ["ok", "warning"]),
    ("end", "data", [], ["problem"]),
]


@pytest.mark.parametrize(("asked", "message", "replies", "levels"), HELD)
def test_which_are_missing(tmp_path: Path, asked: str, message: str, replies: list[str], levels: list[str]) -> None:
    sessions = held(accepted=session(asked=asked), message=session(*replies, asked=message))
    case = known(
        tmp_path,
        **wired(),
        sessions=sessions,
        local_domains=("example.org",),
        hostname="mx.example.net",
        relay_hosts="",
    )
    assert [level for level, _ in told(queries, case)] == levels


STOPPED = [
    (("554 no name, no mail",), "554 no name, no mail"),
    (("220 hello", "550 not with this HELO", "503 no"), "550 not with this HELO"),
    (("220 hello", "250 hello", "451 not this sender"), "451 not this sender"),
]


@pytest.mark.parametrize(("replies", "why"), STOPPED)
def test_a_session_that_the_sites_own_rules_end(tmp_path: Path, replies: tuple[str, ...], why: str) -> None:
    """Nothing is known then, so nothing is called wrong."""
    ended = Session(replies, (), "", True)
    case = known(tmp_path, **wired(), sessions=held(accepted=ended, alone=ended))
    found = told(queries, case)
    assert [(level, what.endswith(why)) for level, what in found] == [("warning", True)]
    assert [*told(verdicts, case), *told(fallback, case)] == []
