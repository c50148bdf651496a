"""Asking the real Exim with small configurations, and what its complaints look like."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.exim import Exim, RunResult, SetupError
from eximacl.exim.program import check_configuration

CONFIG = """primary_hostname = mx.example.org
keep_environment =
domainlist mine = example.org : example.com
MACRO = a value
acl_smtp_rcpt = accept
"""
SAID = [
    (RunResult(1, "", ""), ""),
    (RunResult(1, "only this\n", ""), "only this"),
    (
        RunResult(
            1, "Exim version\n", "2026-01-02 03:04:05 Exim configuration error in line 3:\n  no such\n  thing\nmore\n"
        ),
        "Exim configuration error in line 3: no such thing",
    ),
]


@pytest.fixture
def exim(tmp_path: Path) -> Exim:
    path = tmp_path / "exim.conf"
    path.write_text(CONFIG)
    return Exim(config=path)


@pytest.mark.parametrize(("said", "complaint"), SAID)
def test_the_complaint_is_in_exims_words(said: RunResult, complaint: str) -> None:
    assert said.complaint == complaint


@pytest.mark.needs_root
@pytest.mark.needs_exim
def test_what_it_has_read(exim: Exim) -> None:
    assert check_configuration(exim) == ""
    assert exim.options("acl_smtp_rcpt", "acl_smtp_data", "no_such") == {"acl_smtp_rcpt": "accept", "acl_smtp_data": ""}
    assert exim.lists("mine", "no_such") == {"mine": "example.org : example.com"}
    assert (exim.macro("MACRO"), exim.macro("NONE")) == ("a value", None)
    assert exim.config_file() == exim.config


@pytest.mark.needs_root
@pytest.mark.needs_exim
def test_a_macro_of_the_command_line_overrides(exim: Exim) -> None:
    assert Exim(exim.path, exim.config, {"MACRO": "another"}).macro("MACRO") == "another"


@pytest.mark.needs_exim
def test_what_is_wrong(exim: Exim) -> None:
    assert exim.config
    exim.config.write_text("no_such_option = 1\n")
    assert "no_such_option" in check_configuration(exim)
    exim.config.write_text(CONFIG + "begin routers\nr:\n  driver = none_such\n")
    assert "none_such" in check_configuration(exim)


def test_no_exim_and_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError, match=r"/no/such: .*install exim4-daemon-light"):
        Exim(Path("/no/such")).run("-bV")
    program = tmp_path / "hangs"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr("eximacl.exim.program.RUN_SECONDS", 0.05)
    said = Exim(program).run("-bV")
    assert (said.status, "did not end" in said.complaint) == (-1, True)
    assert Exim(program).config_file() is None
