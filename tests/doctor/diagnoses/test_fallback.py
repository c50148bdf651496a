"""Without the daemon mail is taken or deferred as set, and never refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.fallback import fallback
from tests.doctor.breaks import snippet
from tests.doctor.proof import Way, held, known, prove, session, told, wired
from tests.doctor.world import World

ON_FAILURE = "accept  condition = ${if eq{${extract{$acl_arg2}{${listnamed_l:eximacl_on_failure}}}}{accept}}"
WAYS: dict[str, Way] = {
    "no daemon means 550": Way(
        snippet("ask.acl", ON_FAILURE, ON_FAILURE.replace("accept ", "deny ", 1)), "problem", "says '550"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "fallback", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("fallback") == {"ok"}


SAID = [
    ("accept", "250 Accepted", "250 Accepted", "ok"),
    ("accept", "550 no such user", "550 no such user", "ok"),  # the site's own rules
    ("accept", "250 Accepted", "451 later", "problem"),
    ("defer", "250 Accepted", "451 later", "ok"),
    ("defer", "250 Accepted", "550 no", "problem"),
]


@pytest.mark.parametrize(("word", "asked", "alone", "level"), SAID)
def test_what_is_expected(tmp_path: Path, word: str, asked: str, alone: str, level: str) -> None:
    facts = {**wired(), "settings": {"on_failure": f"rcpt={word}"}}
    case = known(tmp_path, **facts, sessions=held(accepted=session(asked, asked="rcpt"), alone=session(alone)))
    ((found, _),) = told(fallback, case)
    assert found == level


def test_where_exim_does_not_ask_there_is_nothing_to_try(tmp_path: Path) -> None:
    assert told(fallback, known(tmp_path, complaint="", directory=None)) == []
