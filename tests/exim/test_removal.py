"""Whatever stays in Exim's configuration when eximacl goes, mail goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.exim import Exim, Removal, find_shipped, remove_by_force
from eximacl.exim.removal import ASIDE, ASKING, named_by, put_aside
from eximacl.exim.snippets import copy
from tests.doctor.world import World
from tests.exim.machine import GOOD, REFUSED, RELOAD, install, starts, takes

OURS = "acl_smtp_rcpt = ${{if exists{{{own}/rcpt.acl}}{{{own}/rcpt.acl}}{{accept}}}}\n"
OTHERS = "acl_smtp_rcpt = /srv/mail/snippets/rcpt.acl\n"

# What Exim's configuration has, whether there are copies, and what it names.
NAMED = [
    pytest.param(OURS, True, "ours", id="ours"),
    pytest.param(OURS, False, "ours", id="ours that are gone"),
    pytest.param(OTHERS, True, "others", id="others"),
    pytest.param("acl_smtp_rcpt = accept\n", True, "", id="none"),
    pytest.param("nonsense\n", True, "ours", id="unreadable, so perhaps ours"),
    pytest.param("nonsense\n", False, "", id="unreadable, and nothing there to be named"),
]


@pytest.mark.parametrize(("text", "there", "named"), NAMED)
def test_which_snippets_exim_names(
    tmp_path: Path, small: Callable[[str], Exim], text: str, there: bool, named: str
) -> None:
    own = tmp_path / "eximacl"
    if there:
        own.mkdir()
    assert named_by(small(text.format(own=own)), own) == named


def test_where_there_is_no_exim_nothing_is_named(tmp_path: Path) -> None:
    assert named_by(Exim(tmp_path / "none"), tmp_path) == ""


def test_what_asks_has_another_name_then(tmp_path: Path) -> None:
    own = tmp_path / "eximacl"
    made = copy(find_shipped(), own)
    before = {path.name for path in made.iterdir()}
    (own / "rcpt.acl").touch()
    assert put_aside(own)
    asking = {f"{name}.acl" for name in ASKING}
    assert {path.name for path in made.iterdir()} == before - asking | {name + ASIDE for name in asking & before}
    assert (own / f"rcpt.acl{ASIDE}").exists()
    assert put_aside(own)
    assert put_aside(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "blocked", "aside", "harmless"),
    [(OURS, False, True, True), (OURS, True, False, False), (OTHERS, False, False, False)],
)
def test_lines_that_an_admin_has_written(
    tmp_path: Path, small: Callable[[str], Exim], text: str, blocked: bool, aside: bool, harmless: bool
) -> None:
    etc = tmp_path / "etc"
    made = copy(find_shipped(), etc / "eximacl")
    (etc / "exim4.conf").write_text(text)
    if blocked:
        (made / f"rcpt.acl{ASIDE}" / "in the way").mkdir(parents=True)
    done = remove_by_force(etc, small(text.format(own=made)), "x")
    named = "ours" if text == OURS else "others"
    assert done == Removal(changed=False, backup=None, failure="", aside=aside, left=named)  # type: ignore[arg-type]
    assert done.harmless == harmless
    assert (made / "rcpt.acl").exists() != aside


def test_a_configuration_that_is_none(tmp_path: Path) -> None:
    done = remove_by_force(tmp_path, Exim(tmp_path / "none"), "x")
    assert (done.changed, done.harmless) == (False, True)
    assert "install exim4-config" in done.failure


def test_it_is_removed_while_exim_runs(bare: World) -> None:
    install(bare)
    takes(bare, REFUSED, "550 5")
    before = starts(bare)
    done = bare.eximacl("exim", "remove", "--force", *RELOAD)
    assert done.status == 0, done
    assert "eximacl is removed from /etc/exim4.\n" in done.out
    bare.wait_for_exim(before + 1)
    takes(bare, REFUSED)
    assert list((bare.lab.etc / "eximacl").glob(f"*/rcpt.acl{ASIDE}"))
    assert "Nothing to change" in bare.eximacl("exim", "remove", "--force", "--yes").out
    install(bare)
    takes(bare, REFUSED, "550 5")
    takes(bare, GOOD)


def test_lines_that_cannot_be_taken_out(bare: World) -> None:
    install(bare)
    backups = bare.lab.etc / "eximacl-backups"
    shutil.rmtree(backups, ignore_errors=True)
    backups.write_text("in the way\n")
    done = bare.eximacl("exim", "remove", "--force", "--yes")
    assert done.status == 0, done
    assert "The lines could not be taken out of /etc/exim4: " in done.out
    assert "Exim goes on by its own rules and asks nothing" in done.out
    takes(bare, REFUSED)


@pytest.mark.parametrize("option", ["--purge", "--dry-run"])
def test_what_does_not_go_together(bare: World, option: str) -> None:
    assert bare.eximacl("exim", "remove", "--force", option).status == 64
