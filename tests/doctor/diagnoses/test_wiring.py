"""ACLs that are missing, or in another's place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.wiring import wiring
from tests.doctor import breaks
from tests.doctor.breaks import setting
from tests.doctor.proof import Way, known, prove, told, wired
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "not installed": Way(breaks.not_installed, "problem", "not in Exim's configuration"),
    "ACL in the wrong place": Way(
        setting(".ifndef EXIMACL_NEXT_MAIL", "EXIMACL_NEXT_MAIL = /etc/exim4/eximacl/@COPY@/rcpt.acl", ".endif"),
        "problem",
        "acl_smtp_mail names rcpt.acl",
    ),
    "only one early stage": Way(
        setting("EXIMACL_NEXT_MAIL = /etc/exim4/eximacl/@COPY@/mail.acl"), "warning", "only mail ask"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "wiring", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("wiring") == {"ok"}


OTHERS = [
    ({}, [("ok", "Exim's ACL options name the files in /s")]),
    ({"data": "mine"}, [("problem", "acl_smtp_data does not name data.acl: it is mine")]),
    ({"quit": ""}, [("problem", "acl_smtp_quit does not name quit.acl: it is not set")]),
    ({"helo": "/s/mail.acl"}, [("problem", "acl_smtp_helo names mail.acl")]),
]


@pytest.mark.parametrize(("acls", "found"), OTHERS)
def test_each_stage_has_its_own(tmp_path: Path, acls: dict[str, str], found: list[tuple[str, str]]) -> None:
    facts = wired(Path("/s"))
    assert told(wiring, known(tmp_path, **{**facts, "acls": {**facts["acls"], **acls}})) == found


def test_a_configuration_that_exim_refuses_is_told_elsewhere(tmp_path: Path) -> None:
    assert told(wiring, known(tmp_path, complaint="broken")) == []
