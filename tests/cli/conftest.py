"""A policy for the commands, and the real daemon that runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.daemon import Daemon

POLICY = """
[server]
socket = "eximacl.sock"
[state]
url = "sqlite:state.db"
[log]
rejections = "rejections.jsonl"
[journal]
dir = "journal"
[policy]
domains = ["example.org"]
[checks.disposable]
timezone = "Europe/Helsinki"
[checks.valid_recipient]
recipients = ["steve", "joe"]
[checks.bad_recipient]
recipients = ["joe No longer here"]
[checks.localpart_pattern]
patterns = ["[0-9]$"]
[checks.rdns_tld]
action = "defer"
tlds = ["sa"]
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The policy file, named by EXIMACL_CONFIG."""
    path = tmp_path / "eximacl.toml"
    path.write_text(POLICY)
    monkeypatch.setenv("EXIMACL_CONFIG", str(path))
    monkeypatch.delenv("EXIMACL_SOCKET", raising=False)
    return path


@pytest.fixture
def daemon(config: Path) -> Iterator[Daemon]:
    """The running daemon."""
    with Daemon(config, config.parent / "eximacl.sock", config.parent / "log") as running:
        yield running
