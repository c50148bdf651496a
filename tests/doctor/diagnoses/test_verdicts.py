"""A verdict that the client never hears."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.verdicts import verdicts
from eximacl.doctor.sessions import TOKEN
from tests.doctor.breaks import setting, snippet
from tests.doctor.proof import Way, held, known, prove, session, told, wired
from tests.doctor.world import World

OBJECTION = "deny    condition = ${if or{{eq{$acl_c_eximacl_verdict}{reject}}"
WAYS: dict[str, Way] = {
    "rejects without effect": Way(
        snippet("ask.acl", OBJECTION, OBJECTION.replace("deny ", "warn ")), "problem", "without effect: reject"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "verdicts", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("verdicts") == {"ok"}


REJECTED, DEFERRED = f"550 {TOKEN}", f"451 {TOKEN}"
SAID = [
    ([REJECTED, DEFERRED], [REJECTED], ("ok", "verdicts take effect: reject at RCPT, defer at RCPT, reject at DATA")),
    ([REJECTED, "250 OK"], [REJECTED], ("problem", "verdicts without effect: defer at RCPT")),
    (["550 no", DEFERRED], ["250 OK"], ("problem", "verdicts without effect: reject at RCPT, reject at DATA")),
]


@pytest.mark.parametrize(("replies", "message", "found"), SAID)
def test_which_take_effect(tmp_path: Path, replies: list[str], message: list[str], found: tuple[str, str]) -> None:
    sessions = held(
        accepted=session("250 OK", asked="rcpt"),
        rejected=session(replies[0]),
        deferred=session(replies[1]),
        message=session(*message, asked="data"),
    )
    assert told(verdicts, known(tmp_path, **wired(), sessions=sessions)) == [found]


def test_one_recipient_a_session_is_enough(world: World) -> None:
    with setting("recipients_max = 1")(world):
        found = world.doctor()
    assert [each["level"] for each in found if each["diagnosis"] in ("verdicts", "queries", "fallback")] == ["ok"] * 4


def test_where_exim_did_not_ask_it_is_told_elsewhere(tmp_path: Path) -> None:
    assert told(verdicts, known(tmp_path, **wired(), sessions=held(accepted=session()))) == []
