"""Held messages can be kept only where the daemon reads the spool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.access import Who
from eximacl.doctor.diagnoses.archive import archive
from eximacl.exim import Exim
from eximacl.protocol.client import DaemonError
from tests.doctor import breaks
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World
from tests.lab.site import ROOT

WAYS: dict[str, Way] = {
    "spool unreadable": Way(breaks.powerless, "problem", "may not read Exim's spool"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "archive", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("archive") == {"ok"}


def test_an_archive_that_is_off_is_not_looked_at(tmp_path: Path) -> None:
    assert told(archive, known(tmp_path)) == []


@pytest.mark.needs_exim
def test_with_no_daemon_to_be_seen_its_rights_are_not_guessed(tmp_path: Path) -> None:
    case = known(tmp_path, '[archive]\ndir = "kept"\n', exim=Exim(), daemon_user=None)
    assert told(archive, case) == []


@pytest.mark.needs_exim
def test_the_advice_names_the_file_that_the_package_brings(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    (spool / "input").mkdir(parents=True, mode=0o700)
    text = f"keep_environment =\nspool_directory = {spool}\n"
    config = tmp_path / "exim.conf"
    config.write_text(text)
    nobody = Who("nobody", 65534, frozenset({65534}), frozenset({"write", "enter"}))
    case = known(tmp_path, '[archive]\ndir = "kept"\n', exim=Exim(config=config), daemon_user=nobody, _asked=REFUSED)
    found = [each for each in archive(case) if "spool" in each.what]
    assert [each.level for each in found] == ["problem"]
    assert SHIPPED in found[0].do
    assert SHIPPED in (ROOT / "debian/archive.conf").read_text(encoding="utf-8")


SHIPPED = "/usr/share/eximacl/systemd/archive.conf"
REFUSED = DaemonError("nobody listens")
