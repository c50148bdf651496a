"""`eximacl allow`: the next such mail passes, and nothing is delivered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eximacl.config import load
from eximacl.protocol.client import ask
from eximacl.protocol.exim import Reply, format_query
from tests.cli.running import eximacl
from tests.lab import Daemon
from tests.lab.waiting import until

CLIENT = {"ip": "192.0.2.7", "host": "mx.example.net", "helo": "mx.example.net", "tx": "1"}
MAIL = {**CLIENT, "from": "ann@example.net", "rcpt": "ghost@example.org"}


def refused(config: Path, stage: str = "rcpt", **values: str) -> str:
    """Have the running daemon judge a message; return the reference, once the journal has it."""
    found = ask(config.parent / "eximacl.sock", format_query(stage, {**MAIL, **values}))
    until(lambda: eximacl("why", found.ref).status == 0, "the journal")
    return found.ref


def verdict(config: Path, **values: str) -> str:
    found: Reply = ask(config.parent / "eximacl.sock", format_query("rcpt", {**MAIL, **values}))
    return found.verdict


@pytest.mark.parametrize(
    ("kind", "entry", "key"),
    [
        ("sender", "ann@example.net", "senders"),
        ("domain", "example.net", "sender_domains"),
        ("ip", "192.0.2.7", "ips"),
        ("host", "mx.example.net", "hosts"),
    ],
)
def test_the_next_one_passes(daemon: Daemon, config: Path, kind: str, entry: str, key: str) -> None:
    """A mail that was refused at RCPT is in no archive; the journal knows who it was."""
    ref = refused(config)
    assert verdict(config) == "reject"
    done = eximacl("allow", kind, ref.lower())
    file = config.parent / f"lists/allow-{key.replace('_', '-')}.example.org"
    assert done.status == 0
    assert done.out.startswith(f"{entry} was added to exempt.{key} in {file}, in force\nchanged: ")
    assert file.read_text().startswith(f"{entry}  # {ref} allowed 20")
    assert verdict(config) == "accept"
    again = eximacl("allow", kind, ref, "--json")
    (found,) = json.loads(again.out)["allowed"]
    assert (found["already"], found["changed"], found["list"]) == (f"{key}: {entry}", [], str(file))


def test_everywhere(daemon: Daemon, config: Path) -> None:
    config.write_text(config.read_text().replace('["example.org"]', '["example.org", "example.com"]'))
    assert eximacl("reload").status == 0
    assert eximacl("allow", "ip", refused(config), "--everywhere").status == 0
    assert verdict(config, rcpt="99@example.com") == "accept"


def test_all_recipients_of_a_held_message(daemon: Daemon, config: Path) -> None:
    """What was decided at DATA names them; each domain gets its entry once."""
    config.write_text(config.read_text().replace('["example.org"]', '["example.org", "example.com"]'))
    assert eximacl("reload").status == 0
    rcpts = '"a b"@example.org, joe@example.org, joe@example.com'
    values = {**CLIENT, "from": "ann@example.net", "rcpts": rcpts, "held": "00000001"}
    ref = ask(config.parent / "eximacl.sock", format_query("data", values)).ref
    until(lambda: eximacl("why", ref).status == 0, "the journal")
    allowed = json.loads(eximacl("allow", "sender", ref, "--json").out)["allowed"]
    assert [Path(one["list"]).name for one in allowed] == ["allow-senders.example.org", "allow-senders.example.com"]
    assert set(load(config).overlays) == {"example.org", "example.com"}


def test_before_there_was_a_recipient(daemon: Daemon, config: Path) -> None:
    """What was refused at connect had none; then it takes --everywhere."""
    found = ask(config.parent / "eximacl.sock", format_query("connect", CLIENT))
    until(lambda: eximacl("why", found.ref).status == 0, "the journal")
    done = eximacl("allow", "ip", found.ref)
    assert (
        done.status,
        "no domain's list can have it; exempt it everywhere (--everywhere)" in done.err,
    ) == (
        78,
        True,
    )
    assert eximacl("allow", "ip", found.ref, "--everywhere").status == 0


def test_what_cannot_be_allowed(daemon: Daemon, config: Path) -> None:
    ref = refused(config, **{"from": "", "host": ""})
    for kind, words in (("sender", "the null sender of a bounce"), ("host", "has no reverse name; exempt its ip")):
        done = eximacl("allow", kind, ref)
        assert done.status == 78
        assert words in done.err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        pytest.param(["all", "7KQ2M9D4"], 64, "Invalid value for", id="no such exemption"),
        pytest.param(["ip", "7KQ2"], 65, "is not a reference", id="no reference"),
        pytest.param(["ip", "00000000"], 66, "00000000 is not in ", id="not there"),
    ],
)
def test_what_is_not_there(config: Path, arguments: list[str], status: int, words: str) -> None:
    (config.parent / "journal").mkdir()
    done = eximacl("allow", *arguments)
    assert done.status == status
    assert words in done.err
