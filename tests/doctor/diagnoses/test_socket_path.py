"""Exim and the daemon have to mean the same socket."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.socket_path import socket_path
from tests.doctor.breaks import policy, setting
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "the policy names another socket than systemd's": Way(
        policy("eximacl.sock", "other.sock"),
        "warning",
        "policy's server.socket is .*other.sock, but .* at .*eximacl.sock: .*systemd",
    ),
    "Exim asks elsewhere": Way(setting("EXIMACL_SOCKET = /run/other.sock"), "problem", "/run/other.sock"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "socket-path", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("socket-path") == {"ok"}


NAMED = [
    ({"socket": "/run/one"}, "/run/one", ["ok"]),
    ({"socket": "/run/one"}, "/run/two", ["problem"]),
    ({}, "/run/one", []),
]


@pytest.mark.parametrize(("settings", "socket", "levels"), NAMED)
def test_which_agree(tmp_path: Path, settings: dict[str, str], socket: str, levels: list[str]) -> None:
    case = known(tmp_path, socket=Path(socket), settings=settings)
    assert [level for level, _ in told(socket_path, case)] == levels


def test_the_rest_is_judged_with_the_socket_that_is_used(world: World) -> None:
    with policy("eximacl.sock", "other.sock")(world):
        found = world.doctor()
    assert {each["diagnosis"] for each in found if each["level"] == "problem"} == set()


def test_a_line_of_the_admins_own_is_named(world: World) -> None:
    """Above ours, `exim install` does not change it."""
    with setting("EXIMACL_SOCKET = /run/other.sock")(world):
        (named,) = (each for each in world.doctor() if each["diagnosis"] == "socket-path")
    assert re.match(
        r"remove EXIMACL_SOCKET from /etc/exim4/conf.d/main/000_localmacros:\d+, or set it to ", named["do"]
    )


def test_a_policy_that_is_wrong_names_none(tmp_path: Path) -> None:
    assert told(socket_path, known(tmp_path, "[nonsense]", settings={"socket": "/run/one"})) == []
