"""Hits that were only noted by a real daemon, read from its journal."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from eximacl.records.errors import RecordsError
from eximacl.records.observed import ObservedCount, counted, observed
from tests.lab.daemon import Daemon

NOTED = {"tx": "1-1", "ip": "192.0.2.7", "host": "mx.example.sa", "from": "", "rcpt": "steve@example.org"}


@pytest.fixture
def journal(config: Path) -> Path:
    """Two messages were noted by one check, and a third by none."""
    config.write_text(config.read_text().replace('action = "defer"', 'action = "observe"'))
    socket = config.parent / "eximacl.sock"
    with Daemon(config, socket, config.parent / "output"):
        for number, values in enumerate(({}, {"from": "a@example.net"}, {"host": "mx.example.net"})):
            ask(socket, format_query("rcpt", {**NOTED, "tx": f"1-{number}", **values}))
    return config.parent / "journal"


def test_each_in_order(journal: Path) -> None:
    first, second = observed(journal, 0)
    assert [one.line.check for one in (first, second)] == ["rdns_tld", "rdns_tld"]
    shown = second.as_dict()
    assert (shown["reason"], shown["verdict"], shown["from"]) == ("rdns-tld", "accept", "a@example.net")
    assert list(observed(journal, 0, "rdns_tld")) == [first, second]
    assert list(observed(journal, 0, "helo")) == []
    assert list(observed(journal, time.time() + 86_400)) == []


def test_how_often(journal: Path) -> None:
    assert counted(observed(journal, 0)) == [ObservedCount("rdns_tld", "rdns-tld", 2)]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="does not exist"):
        list(observed(tmp_path / "none", 0))
    (tmp_path / "2026-11-23.mpk").mkdir()
    with pytest.raises(RecordsError, match=r"2026-11-23.mpk cannot be read: Is a directory"):
        list(observed(tmp_path, 0))
