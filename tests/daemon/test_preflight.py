"""What is known before the daemon runs a policy; `eximacl config test` shows the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.config import ConfigError, load
from eximacl.daemon.preflight import preflight, spool_problem
from tests.archive.holding import let_everybody_pass, nobody, spool_with

ARCHIVE = '[archive]\ndir = "archive"\n'
HOLDS = '[checks.valid_recipient]\naction = "hold"\nrecipients = ["steve"]\n'


@pytest.mark.parametrize(
    ("policy", "mode", "is_problem"),
    [
        pytest.param(ARCHIVE + HOLDS, 0o750, True, id="closed"),
        pytest.param(ARCHIVE + HOLDS, 0o755, False, id="open"),
        pytest.param(ARCHIVE, 0o750, False, id="nothing is held"),
        pytest.param(HOLDS.replace("hold", "reject"), 0o750, False, id="no archive"),
    ],
)
def test_a_spool_that_cannot_be_read_is_a_problem_before_a_message_is_lost(
    tmp_path: Path, policy: str, mode: int, is_problem: bool
) -> None:
    let_everybody_pass(tmp_path)
    spool = spool_with(tmp_path / "spool")
    spool.chmod(mode)
    (tmp_path / "eximacl.toml").write_text(f'[policy]\ndomains = ["example.org"]\n{policy}')
    loaded = load(tmp_path / "eximacl.toml")
    with nobody():
        problem = spool_problem(loaded, spool)
    assert problem.startswith("held mail will be refused without being kept: ") is is_problem
    assert bool(problem) is is_problem


def test_only_a_domain_holds(tmp_path: Path) -> None:
    let_everybody_pass(tmp_path)
    spool = spool_with(tmp_path / "spool")
    spool.chmod(0o700)
    (tmp_path / "eximacl.toml").write_text(f'[policy]\ndomains = ["example.org"]\n{ARCHIVE}')
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains/example.org.toml").write_text(HOLDS)
    loaded = load(tmp_path / "eximacl.toml")
    with nobody():
        assert "spool/input cannot be read" in spool_problem(loaded, spool)


def test_a_policy_is_loaded_and_its_archive_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "eximacl.toml"
    path.write_text(f'[policy]\ndomains = ["example.org"]\n{ARCHIVE}sendmail = "/bin/true"\n')
    assert preflight(path).path == path
    assert not (tmp_path / "archive").exists()
    (tmp_path / "archive").write_text("")
    path.write_text(path.read_text().replace("/bin/true", "none"))
    with pytest.raises(ConfigError, match=r"(?s)archive\.dir: .*\n.*archive\.sendmail: .*/none cannot be run"):
        preflight(path)
