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
    "a template with a line of its own": Way(
        breaks.replaced("acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT", "acl_smtp_rcpt = acl_check_rcpt"),
        "problem",
        "acl_smtp_rcpt does not name rcpt.acl: it is acl_check_rcpt",
    ),
    "no ACL for recipients": Way(
        breaks.replaced("acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT", ""), "problem", "acl_smtp_rcpt is not set"
    ),
    "only one early stage": Way(
        setting("EXIMACL_NEXT_MAIL = /etc/exim4/eximacl/@COPY@/mail.acl"),
        "warning",
        "only mail of the early stages ask",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "wiring", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("wiring") == {"ok"}


@pytest.mark.parametrize("line", ["acl_smtp_rcpt = acl_check_rcpt", ""])
def test_debians_line_is_what_mends_debians_configuration(world: World, line: str) -> None:
    """Without it Exim refuses all mail."""
    with breaks.replaced("acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT", line)(world):
        found = world.doctor()
    (named,) = (each for each in found if each["diagnosis"] == "wiring" and each["level"] == "problem")
    assert named["do"].startswith("write `acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT` in ")
    assert "02_exim4-config_options" in named["do"]
    nothing = [each for each in found if "nothing is refused" in each["means"] and not line]
    assert nothing == []


OTHERS = [
    ({"rcpt": ""}, [("problem", "acl_smtp_rcpt is not set")]),
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
