"""A daemon that does not know what Exim asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.understood import understood
from eximacl.protocol.client import DaemonError
from tests.doctor.breaks import snippet
from tests.doctor.proof import Way, held, known, prove, session, told, wired
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "queries of another protocol": Way(snippet("rcpt.acl", "v=1 tx", "v=9 tx"), "problem", "v=1"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "understood", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("understood") == {"ok"}


def test_a_daemon_that_dies_meanwhile(tmp_path: Path) -> None:
    sessions = held(accepted=session(asked="rcpt"))
    case = known(tmp_path, **wired(), socket=tmp_path / "none", sessions=sessions, _asked={"pid": 1})
    ((level, what),) = told(understood, case)
    assert (level, "did not answer Exim's query" in what) == ("problem", True)


def test_without_a_daemon_it_is_told_elsewhere(tmp_path: Path) -> None:
    assert told(understood, known(tmp_path, **wired(), _asked=DaemonError("nobody listens"))) == []
