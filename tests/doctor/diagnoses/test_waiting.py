"""A change that waits for Exim's next start, and may keep it from that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.waiting import waiting
from eximacl.exim import Exim
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
        breaks.not_made_yet("conf.d/main/90_exim4-config_log_selector", "acl_smtp_rcpt = acl_check_rcpt\n"),
        "problem",
        # Exim 4.100 takes the last.
        r'(error: "acl_smtp_rcpt" option set for the second time|not ask eximacl: acl_smtp_rcpt is acl_check_rcpt): '
        r"/etc/\S+options:\d+, /etc/\S+/90_exim4-config_log_selector:\d+$",
    ),
    "answers that are not shell": Way(
        breaks.not_made_yet("update-exim4.conf.conf", "'\n"), "problem", "would refuse .* update-exim4.conf exited"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "waiting", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("waiting") == {"ok"}


@pytest.mark.needs_exim
def test_a_configuration_that_is_not_there_is_told_elsewhere(tmp_path: Path) -> None:
    assert told(waiting, known(tmp_path, exim=Exim(config=tmp_path / "none"))) == []
