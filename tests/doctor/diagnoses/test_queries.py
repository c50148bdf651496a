"""A stage at which Exim does not ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.queries import queries
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
        "asked nothing about a recipient",
    ),
    "nothing told at the end": Way(
        snippet("quit.acl", "warn    acl", "accept\nwarn    acl"), "problem", "not ask at: end"
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
    sessions = held(recipients=session(asked=asked), message=session(*replies, asked=message))
    case = known(tmp_path, **wired(), sessions=sessions, local_domains=("example.org",), hostname="mx.example.net")
    assert [level for level, _ in told(queries, case)] == levels
