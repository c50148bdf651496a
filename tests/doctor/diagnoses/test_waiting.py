"""A change that waits for Exim's next start, and may keep it from that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.waiting import waiting
from eximacl.doctor.sources import lines_with, settings_of, sources
from eximacl.exim_setup import Exim, Place
from eximacl.exim_setup.wiring import BEGIN, END
from tests.doctor import breaks
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

MACROS = "conf.d/main/000_localmacros"
WAYS: dict[str, Way] = {
    "a change is not made yet": Way(breaks.not_made_yet(MACROS), "warning", "000_localmacros is newer"),
    "Debian's answers are not made yet": Way(
        breaks.not_made_yet("update-exim4.conf.conf"), "warning", "update-exim4.conf.conf is newer"
    ),
    "a line that Exim refuses": Way(
        breaks.not_made_yet(MACROS, "foo bar\n"), "problem", r"error in /etc/\S+/000_localmacros:\d+ \(foo bar\)"
    ),
    "a setting below eximacl's lines": Way(
        breaks.not_made_yet("conf.d/main/90_exim4-config_log_selector", "EXIMACL_TIMEOUT = 10s\n"),
        "problem",
        r'"EXIMACL_TIMEOUT" is already defined .*: /etc/\S+/90_exim4-config_log_selector:\d+$',
    ),
    "an option set twice": Way(
        breaks.not_made_yet(MACROS, "acl_smtp_rcpt = acl_check_rcpt\n"),
        "problem",
        r'error: "acl_smtp_rcpt" option set for the second time: /etc/\S+/000_localmacros:\d+, /etc/\S+options:\d+$',
    ),
    "answers that are no shell": Way(
        breaks.not_made_yet("update-exim4.conf.conf", "'\n"), "problem", "refuses .* update-exim4.conf exited"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "waiting", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("waiting") == {"ok"}


FILES = {
    "split": ("conf.d/main/01_x", "conf.d/main/99_x.dpkg-dist", "conf.d/main/000_x~", "conf.d/acl/30_y"),
    "unsplit": ("exim4.conf.template", "exim4.conf.localmacros", "exim4.conf.template.bak"),
}
READ = {
    "split": {"01_x", "30_y", "update-exim4.conf.conf"},
    "unsplit": {"exim4.conf.template", "exim4.conf.localmacros", "update-exim4.conf.conf"},
}


@pytest.mark.parametrize("kind", ["split", "unsplit"])
def test_files_that_debians_script_passes_over_do_not_count(tmp_path: Path, kind: str) -> None:
    for name in (*FILES[kind], "update-exim4.conf.conf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    where = Place(tmp_path, "split" if kind == "split" else "unsplit")
    assert {path.name for path in sources(where)} == READ[kind]


def test_where_a_setting_of_an_admins_stands(tmp_path: Path) -> None:
    text = f".ifndef A\nA = 1\n.endif\nA = 2\n{BEGIN}\nA = 3\n{END}\n A =4\nAB = 5\n"
    (tmp_path / "exim4.conf").write_text(text)
    where = Place(tmp_path, "plain")
    assert settings_of(where, "A") == [f"{tmp_path}/exim4.conf:4", f"{tmp_path}/exim4.conf:8"]
    assert lines_with(where, "AB = 5") == [f"{tmp_path}/exim4.conf:9"]


def test_a_configuration_that_is_not_there_is_told_elsewhere(tmp_path: Path) -> None:
    assert told(waiting, known(tmp_path, exim=Exim(config=tmp_path / "none"))) == []
