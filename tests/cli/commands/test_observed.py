"""`eximacl observed`: what was only noted, by whom, since when; and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from eximacl.system.times import zone_names
from tests.cli.running import eximacl
from tests.lab.daemon import Daemon

NOTED = {"tx": "1-1", "ip": "192.0.2.7", "host": "mx.example.sa", "from": "", "rcpt": "steve@example.org"}


@pytest.fixture
def noted(config: Path) -> Path:
    """A daemon that observes one check has judged three mails: two noted, one of them refused by another check."""
    text = config.read_text()
    assert 'action = "defer"' in text
    config.write_text(text.replace('action = "defer"', 'action = "observe"'))
    path = config.parent / "eximacl.sock"
    with Daemon(config, path, config.parent / "output"):
        for number, values in enumerate(({}, {"from": "a\x1b@example.net"}, {"host": "mx.example.net"})):
            ask(path, format_query("rcpt", {**NOTED, "tx": f"1-{number}", **values}))
    return config


@pytest.mark.usefixtures("noted")
def test_each_hit_that_was_only_noted() -> None:
    done = eximacl("observed")
    head, first, second = done.out.splitlines()
    assert done.status == 0
    assert head.split()[:5] == ["TIME", f"({zone_names()})", "REF", "CHECK", "VERDICT"]
    assert first.split()[3:8] == ["rdns_tld", "accept", "192.0.2.7", "<>", "steve@example.org"]
    assert "a\\x1b@example.net" in second


@pytest.mark.usefixtures("noted")
def test_json() -> None:
    lines = [json.loads(line) for line in eximacl("observed", "--json", "--check", "rdns_tld").out.splitlines()]
    assert [line["from"] for line in lines] == ["", "a\x1b@example.net"]
    assert {line["reason"] for line in lines} == {"rdns-tld"}
    assert lines[0]["verdict"] == "accept"
    assert eximacl("why", lines[0]["ref"]).status == 0


@pytest.mark.usefixtures("noted")
def test_how_many() -> None:
    assert eximacl("observed", "--count").out.split() == ["2", "rdns_tld", "rdns-tld"]
    counted = json.loads(eximacl("observed", "--count", "--json").out)
    assert counted == {"check": "rdns_tld", "reason": "rdns-tld", "count": 2}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--check", "helo"), 66, "nothing was observed by helo since"),
        (("--check", "nope"), 66, "; no check has that name: `eximacl config explain` lists them"),
        (("--since", "tomorrow-ish"), 64, "--since:"),
        (("--journal", "/nonexistent"), 74, "/nonexistent does not exist"),
    ],
)
@pytest.mark.usefixtures("noted")
def test_what_cannot_be_shown(arguments: tuple[str, ...], status: int, words: str) -> None:
    done = eximacl("observed", *arguments)
    assert done.status == status
    assert words in done.err


def test_what_is_older_is_left_out(noted: Path) -> None:
    assert eximacl("observed", "--since", "2099-01-01").status == 66
    assert noted.exists()


@pytest.mark.usefixtures("noted")
def test_a_journal_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "other" / "2026-11-23.mpk").mkdir(parents=True)
    done = eximacl("observed", "--journal", str(tmp_path / "other"))
    assert done.status == 74
    assert "2026-11-23.mpk" in done.err
