"""Exim's complaints with the admin's own file and line; that Exim says what it does is shown in test_trying."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.exim import Exim, EximConfig
from eximacl.exim.explain import debians_options, explain, in_an_admins_words, lines_with, settings_of
from eximacl.exim.wiring import BEGIN, END

NOWHERE = EximConfig(Path("/e"), "split")


@pytest.fixture
def made(place: EximConfig) -> Exim:
    """A configuration generated from the files, as Exim would have complained of it."""
    (place.etc / "exim4.conf.localmacros").write_text("A = 1\nfoo bar\n")
    config = place.etc / "made"
    config.write_text("A = 1\nfoo bar\nmade = by Debian\n")
    return Exim(config=config)


COMPLAINTS = [
    ("error in line 2 of {made}: what", "error in {macros}:2 (foo bar): what"),
    ("error in line 3 of {made}: what", "error in the configuration generated from {etc} (made = by Debian): what"),
    ("error in line 99 of {made}: what", "error in the configuration generated from {etc}: what"),
    ("error in line 2 of /another: what", "error in line 2 of /another: what"),
    ("no such option", "no such option"),
]


@pytest.mark.parametrize(("complaint", "told"), COMPLAINTS)
def test_a_made_file_is_not_named(place: EximConfig, made: Exim, complaint: str, told: str) -> None:
    names = {"made": made.config, "macros": place.switch, "etc": place.etc}
    assert in_an_admins_words(complaint.format(**names), made, place) == told.format(**names)


def test_other_complaints_are_exims_alone() -> None:
    assert explain("no such option", NOWHERE) == "no such option"


def test_a_name_that_nobody_sets_is_only_named() -> None:
    complaint = '"acl_smtp_quit" option set for the second time'
    assert explain(complaint, NOWHERE) == (
        f"{complaint}\nacl_smtp_quit is set: delete that line, and set EXIMACL_NEXT_QUIT to its ACL in "
        "/e/conf.d/main/000_localmacros"
    )


def test_where_debian_sets_its_options() -> None:
    assert debians_options(NOWHERE) == Path("/e/conf.d/main/02_exim4-config_options")
    assert debians_options(EximConfig(Path("/e"), "unsplit")) == Path("/e/exim4.conf.template")


def test_where_a_setting_of_an_admins_stands(tmp_path: Path) -> None:
    text = f".ifndef A\nA = 1\n.endif\nA = 2\n{BEGIN}\nA = 3\n{END}\n A =4\nAB = 5\n"
    (tmp_path / "exim4.conf").write_text(text)
    where = EximConfig(tmp_path, "plain")
    assert settings_of(where, "A") == [f"{tmp_path}/exim4.conf:4", f"{tmp_path}/exim4.conf:8"]
    assert settings_of(where, "A", but="2") == [f"{tmp_path}/exim4.conf:8"]
    assert lines_with(where, "AB = 5") == [f"{tmp_path}/exim4.conf:9"]


def test_a_line_under_a_condition_may_not_count(tmp_path: Path) -> None:
    text = ".ifndef B\nA = 1\n.ifdef C\n.endif\nA = 2\n.else\nA = 3\n.endif\nA = 4\n"
    (tmp_path / "exim4.conf").write_text(text)
    where = EximConfig(tmp_path, "plain")
    assert [at.rpartition(":")[2] for at in settings_of(where, "A")] == ["2", "5", "7", "9"]
    assert settings_of(where, "A", always=True) == [f"{tmp_path}/exim4.conf:9"]
