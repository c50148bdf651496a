"""Checks that spare known senders, and an Exim that does or does not say whom users write to."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.known_senders import known_senders
from eximacl.state import SqliteState
from tests.doctor.breaks import setting
from tests.doctor.proof import Way, known, prove, told, wired
from tests.doctor.world import World
from tests.lab.daemon import Daemon
from tests.state.contract import opened

WAYS: dict[str, Way] = {
    "nobody's mail seen": Way(
        setting("EXIMACL_NOTE_SENT = yes"), "warning", "no check spares known senders|no user's mail to others"
    ),
}
GREYLIST = '[checks.greylist]\naction = "defer"\n'
RDNS = '[checks.rdns]\nmissing = "reject"\nspare_known = true\n'
OFF = '[checks.greylist]\naction = "off"\n'


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "known-senders", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("known-senders") <= {"ok"}


@pytest.mark.parametrize(
    ("policy", "note", "level", "words"),
    [
        (RDNS, "no", "warning", "spare_known is set for rdns, but Exim"),
        (RDNS, "", "warning", "spare_known is set for rdns, but Exim"),
        (OFF, "yes", "warning", "no check spares known senders"),
        (GREYLIST, "no", "", ""),
        (OFF, "no", "", ""),
        (RDNS, "yes", "", ""),  # no daemon answers
    ],
)
def test_what_is_set(tmp_path: Path, policy: str, note: str, level: str, words: str) -> None:
    facts = {**wired(), "settings": {"note_sent": note}, "daemon_socket": tmp_path / "none"}
    case = known(tmp_path, policy, **facts)
    found = told(known_senders, case)
    assert [(one, words in text) for one, text in found] == ([(level, True)] if level else [])


def test_whether_any_mail_was_seen(tmp_path: Path) -> None:
    socket = tmp_path / "eximacl.sock"
    more = f'[server]\nsocket = "{socket}"\n[state]\nurl = "sqlite:state.db"\n'
    more += '[log]\nrejections = ""\n[journal]\ndir = ""\n'
    facts = {**wired(), "settings": {"note_sent": "yes"}, "daemon_socket": socket}
    case = known(tmp_path, more + GREYLIST, **facts)
    with Daemon(tmp_path / "eximacl.toml", socket, tmp_path / "daemon.log"):
        assert [level for level, _ in told(known_senders, case)] == ["warning"]
        with opened(SqliteState(tmp_path / "state.db")) as state:
            state.first_seen("sent:example.org:ann@partner.example", time.time(), time.time() + 1000)
        assert told(known_senders, case) == [("ok", "the daemon hears whom users write to")]
