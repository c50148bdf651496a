"""What a plan reads, what it would write, and where it says no; in a directory that is no Exim's."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.exim import EximConfig, SetupError, plan_install, plan_remove
from eximacl.exim.place import configuration_files, read
from eximacl.exim.plan import Edit, wired_by_hand

COPY = Path("/e/12345678")


def test_the_switch_comes_last(place: EximConfig) -> None:
    plan = plan_install(place, COPY, {}, router=True)
    assert [edit.path for edit in plan.edits] == [place.router, place.switch]
    assert plan.directory == COPY
    assert plan.diff().count(f"+++ {place.etc}") == 2
    assert [edit.path for edit in plan_install(place, COPY, {}, router=False).edits] == [place.switch]


def test_what_has_never_been_installed_is_not_removed(place: EximConfig) -> None:
    assert plan_remove(place).edits == ()


def test_a_wiring_by_hand_is_left_alone(place: EximConfig) -> None:
    place.switch.write_text("A = 1\n.include /etc/exim4/eximacl/macros\n")
    assert list(wired_by_hand(place)) == [(place.switch, 2)]
    with pytest.raises(SetupError, match=f"take the .include out of {place.switch}:2 first"):
        plan_install(place, COPY, {}, router=True)


def test_which_files_an_admin_edits(place: EximConfig) -> None:
    assert configuration_files(place) == [place.router]
    assert configuration_files(EximConfig(place.etc, "plain")) == [place.etc / "exim4.conf"]
    (place.etc / "conf.d/main").mkdir(parents=True)
    for name in ("one", "one~", "two.dpkg-dist"):
        (place.etc / "conf.d/main" / name).touch()
    assert configuration_files(EximConfig(place.etc, "split")) == [place.etc / "conf.d/main/one"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=f"{tmp_path}: Is a directory"):
        read(tmp_path)


def test_a_diff_shows_files_that_come_and_go() -> None:
    assert Edit(Path("/a"), None, "x\n").diff().startswith("--- /dev/null\n+++ /a\n")
    assert Edit(Path("/a"), "x", None).diff().endswith("-x\n\\ No newline at end of file\n")
