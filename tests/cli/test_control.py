"""`eximacl status` and `eximacl reload` with the real daemon."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.running import eximacl
from tests.lab.daemon import Daemon


@pytest.mark.usefixtures("daemon")
def test_status(config: Path) -> None:
    done = eximacl("status")
    assert done.status == 0
    assert f"config     {config}" in done.out
    answer = json.loads(eximacl("status", "--json").out)
    assert answer["records"]["rejections"]["waiting"] == 0
    assert answer["pid"] != os.getpid()


@pytest.mark.usefixtures("daemon")
def test_reload(config: Path) -> None:
    assert eximacl("reload") == (0, "reloaded\n", "")
    config.write_text(config.read_text().replace("tlds = ", "tdls = "))
    done = eximacl("reload")
    assert done.status == 78
    assert "the old one stays" in done.err
    assert "did you mean tlds?" in done.err
    answer = eximacl("reload", "--json")
    assert answer.status == 78
    assert len(json.loads(answer.out)["problems"]) == 1
    assert "problems   eximacl.toml: checks.rdns_tld.tdls" in eximacl("status").out


@pytest.mark.parametrize("command", ["status", "reload"])
@pytest.mark.usefixtures("config")
def test_no_daemon(command: str) -> None:
    done = eximacl(command)
    assert done.status == 69
    assert "is the daemon running" in done.err


def test_the_socket_can_be_named(daemon: Daemon, tmp_path: Path) -> None:
    assert eximacl("status", "--socket", daemon.path, "--config", tmp_path / "none").status == 0
