"""A daemon that is away, hangs, is another, or is not what is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl import __version__
from eximacl.doctor.access import Who
from eximacl.doctor.diagnoses.daemon import daemon
from eximacl.doctor.diagnoses.records import records
from eximacl.doctor.diagnoses.state import state
from eximacl.protocol.client import DaemonError
from tests.doctor import breaks
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "stopped": Way(breaks.stopped, "problem", "does not answer"),
    "hung": Way(breaks.hung, "problem", "no answer within 5 s"),
    "another program at the socket": Way(breaks.another_program, "problem", "does not answer"),
    "another policy file": Way(breaks.another_policy, "warning", "not "),
    "a setting that needs a restart": Way(breaks.unapplied_setting, "warning", r"\[server\] has changed"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "daemon", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("daemon") == {"ok"}


ROOT = Who("root", 0, frozenset({0}))


def test_a_process_that_is_not_seen_is_told_once(tmp_path: Path) -> None:
    """Whether it may write is told of no file then."""
    config = str(tmp_path / "eximacl.toml")
    facts = {"version": __version__, "config": config, "uptime": 3.2, "pid": 1, "records": {}}
    case = known(tmp_path, _asked=facts, daemon_user=None)
    assert [level for look in (daemon, records, state) for level, _ in told(look, case)] == ["warning", "ok"]


def test_systemd_has_to_forget_that_the_daemon_failed(tmp_path: Path) -> None:
    """After it has given up, it refuses a restart."""
    (found,) = daemon(known(tmp_path, _asked=DaemonError("no answer")))
    assert found.do.startswith("systemctl reset-failed eximacl && systemctl restart eximacl; ")
    assert found.do.endswith("says why it stopped, hangs or fails to start")


def test_an_older_one_still_runs(tmp_path: Path) -> None:
    config = str(tmp_path / "eximacl.toml")
    case = known(tmp_path, _asked={"version": "0.0.1", "config": config, "uptime": 3.2, "pid": 1}, daemon_user=ROOT)
    older, answers = told(daemon, case)
    assert older == ("warning", f"the daemon has version 0.0.1, but {__version__} is installed")
    assert answers == ("ok", "the daemon answers (version 0.0.1, up for 3 s)")


@pytest.mark.parametrize(
    ("note", "do"),
    [
        ("[server] has changed: that takes effect when the daemon is restarted", "systemctl restart eximacl"),
        ("eximacl.toml: checks.rdns_tld.tlds: lists/tld does not exist, so this list is empty", "change the policy"),
    ],
)
def test_not_every_note_wants_a_restart(tmp_path: Path, note: str, do: str) -> None:
    config = str(tmp_path / "eximacl.toml")
    facts = {"version": __version__, "config": config, "uptime": 3.2, "pid": 1, "notes": [note]}
    noted, _ = daemon(known(tmp_path, _asked=facts, daemon_user=ROOT))
    assert (noted.level, noted.what, noted.do.startswith(do)) == ("warning", note, True)
