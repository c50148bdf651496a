"""Snippets that are missing, old, changed, or not for Exim's eyes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.access import Who
from eximacl.doctor.diagnoses.snippets import snippets
from tests.doctor import breaks
from tests.doctor.breaks import snippet
from tests.doctor.proof import SNIPPETS, Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "old": Way(snippet("rcpt.acl", "# The RCPT stage", "# An older one"), "warning", "not those of this"),
    "one is missing": Way(breaks.no_acl, "problem", "lacks want.acl"),
    "one is unreadable": Way(breaks.unreadable_snippet, "problem", "may not read ask.acl"),
    "the directory above is root's": Way(
        breaks.closed_to_exim("eximacl"),
        "problem",
        "may not read ask.acl, .*Debian-exim may not enter /etc/exim4/eximacl ",
    ),
    "all are gone": Way(breaks.no_snippets, "problem", "is missing"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "snippets", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("snippets") == {"ok"}


def test_a_hand_written_configuration_without_them_may_refuse_all_mail(tmp_path: Path) -> None:
    (found,) = snippets(known(tmp_path, directory=tmp_path / "none", exim_user=None))
    assert "refuses all mail after its next start" in found.means


def test_without_a_directory_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    assert told(snippets, known(tmp_path, directory=None)) == []


def test_without_exims_user_its_rights_are_not_guessed(tmp_path: Path) -> None:
    case = known(tmp_path, directory=SNIPPETS, exim_user=None, exim_view=Path("/"))
    assert told(snippets, case) == [("ok", f"the snippets in {SNIPPETS} are of this version")]


@pytest.mark.needs_root
def test_what_an_admin_keeps_beside_them_is_no_change(tmp_path: Path) -> None:
    copied = tmp_path / "eximacl"
    shutil.copytree(SNIPPETS, copied)
    (copied / "bounce_keys").write_text("secret\n")
    (copied / "bounce_keys").chmod(0o600)
    case = known(tmp_path, directory=copied, exim_user=OTHER, exim_view=Path("/"))
    for above in (copied, *copied.parents):
        above.chmod(above.stat().st_mode | 0o011)
    assert told(snippets, case) == [("ok", f"the snippets in {copied} are of this version")]


OTHER = Who("other", 60003, frozenset({60003}))
