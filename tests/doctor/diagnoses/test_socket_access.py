"""A socket to which Exim's user may not write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.access import Who
from eximacl.doctor.diagnoses.socket_access import socket_access
from tests.doctor import breaks
from tests.doctor.breaks import socket_mode
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "closed to its group": Way(socket_mode(0o600), "problem", "no right to write"),
    "of a wrong group": Way(socket_mode(0o660, 0), "problem", "no right to write"),
    "in a closed directory": Way(breaks.closed_directory, "problem", "lets Debian-exim not pass"),
    "a file": Way(breaks.socket_is_a_file, "problem", "is no socket"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "socket-access", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("socket-access") == {"ok"}


USER = Who("Debian-exim", 60001, frozenset({60001}))
MISSING = [(None, "Exim's user is not known here"), (USER, "none: No such file or directory")]


@pytest.mark.parametrize(("user", "words"), MISSING)
def test_what_is_missing(tmp_path: Path, user: Who | None, words: str) -> None:
    ((level, what),) = told(socket_access, known(tmp_path, socket=tmp_path / "none", exim_user=user))
    assert (level, what.endswith(words)) == ("problem", True)
