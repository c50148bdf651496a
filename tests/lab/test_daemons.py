"""The heavy daemon in a lab: it is what runs, or the lab says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import Lab, Missing, Site, daemons
from tests.lab.daemons import EXIM, INSTALLED, VARIABLE, binds, chosen

# What only exim4-daemon-heavy is built with.
HEAVY_ALONE = ("Content_Scanning", "ldap", "mysql", "pgsql", "spf")


def test_the_heavy_daemon_is_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts with an option that is an error to any Exim without content scanning."""
    monkeypatch.setenv(VARIABLE, "heavy")
    with Lab(Site("plain", main="av_scanner = clamd:/run/none", snippets=False)) as lab:
        version = lab.run(EXIM, "-bV")
        assert [word for word in HEAVY_ALONE if word.lower() not in version.lower().split("fixed never_users")[0]] == []
        lab.play("S: 220 mx.example.org ESMTP Exim\nC: QUIT\nS: 221\n")


def test_the_installed_daemon_is_what_runs_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert chosen() == INSTALLED
    with Lab(Site("plain", snippets=False)) as lab:
        assert lab.run("stat", "-c", "%d %i", EXIM) == "{0.st_dev} {0.st_ino}\n".format(Path(EXIM).stat())


def test_a_missing_one_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "heavy")
    monkeypatch.setattr(daemons, "HEAVY", tmp_path / "exim4")
    with pytest.raises(Missing, match=f"{tmp_path}/exim4 is missing: make heavy"):
        Lab(Site("plain", snippets=False))


def test_another_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "heavier")
    with pytest.raises(Missing, match=f"{VARIABLE} is 'heavier'; expected one of installed, heavy"):
        binds()
