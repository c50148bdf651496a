"""`eximacl status`: with the real daemon, and with one that says what the test wants."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from eximacl.cli import exits
from eximacl.cli.commands.status import describe
from eximacl.protocol.exim import Reply, format_reply
from eximacl.system.times import zoned
from tests.cli.running import Done, eximacl
from tests.cli.terminal import on_terminal
from tests.lab.daemon import Daemon
from tests.protocol.test_client import answers

ESCAPE = "\x1b]0;mine\x07"
LEAST: dict[str, Any] = {"version": "0.1.0", "pid": 4711, "config": "/etc/eximacl/eximacl.toml", "uptime": 11_525.3}
FULL: dict[str, Any] = {
    **LEAST,
    "loaded": 1_795_450_593.8,
    "counts": {"accept": 20_131, "reject": 8340, "defer": 12, "hold": 0, "error": 0, "dry": 3},
    "records": {
        "rejections": {"path": "/var/log/eximacl/rejections.jsonl", "waiting": 0, "dropped": 0, "lost": 0},
        "journal": {"path": "/var/lib/eximacl/journal", "waiting": 2, "dropped": 1, "lost": 1204},
    },
    "dns": {"entries": 812, "questions": 1, "servers": ["192.0.2.53"], "servers_left_alone": []},
    "problems": [],
    "notes": [],
}


@pytest.mark.usefixtures("daemon")
def test_status(config: Path) -> None:
    done = eximacl("status")
    assert done.status == 0
    assert f"Policy      {config}, loaded 2" in done.out
    assert "\nNo problems.\n" in done.out
    answer = json.loads(eximacl("status", "--json").out)
    assert answer["records"]["rejections"]["waiting"] == 0
    assert answer["pid"] != os.getpid()


def test_in_words() -> None:
    assert list(describe(FULL)) == [
        "eximacl 0.1.0 has been running for 3 h 12 min (pid 4711).",
        "",
        f"Policy      /etc/eximacl/eximacl.toml, loaded {zoned(FULL['loaded'])}",
        "Queries     28,483 answers: 20,131 accepted, 8,340 rejected, 12 deferred; 3 dry runs",
        "Rejections  /var/log/eximacl/rejections.jsonl",
        "Journal     /var/lib/eximacl/journal; 2 waiting to be written; 1,204 lost since the daemon's start",
        "DNS         812 answers cached; 1 question sent; name servers: 192.0.2.53",
        "",
        "No problems.",
    ]


def test_errors_are_not_refusals() -> None:
    lines = list(describe({**LEAST, "counts": {"accept": 1, "reject": 2, "error": 3}}))
    assert "Queries  6 answers: 1 accepted, 2 rejected, 3 errors" in lines


def test_another_version_may_say_less() -> None:
    assert list(describe(LEAST)) == [
        "eximacl 0.1.0 has been running for 3 h 12 min (pid 4711).",
        "",
        "Policy  /etc/eximacl/eximacl.toml",
        "",
        "No problems.",
    ]


def test_problems_and_notes() -> None:
    lines = list(describe({**LEAST, "problems": ["one", "two"], "notes": ["a note"]}))
    assert lines[-4:] == ["2 problems:", "  one", "  two", "a note"]


@pytest.mark.parametrize("command", ["status", "reload"])
@pytest.mark.usefixtures("config")
def test_no_daemon(command: str) -> None:
    done = eximacl(command)
    assert done.status == 69
    assert "is the daemon running" in done.err


def test_the_socket_can_be_named(daemon: Daemon, tmp_path: Path) -> None:
    assert eximacl("status", "--socket", daemon.path, "--config", tmp_path / "none").status == 0


def test_in_colour(daemon: Daemon) -> None:
    status, shown = on_terminal("status", "--socket", daemon.path, columns=60, colour=True)
    assert status == 0
    assert "\x1b[32mNo problems.\x1b[0m" in shown


def told(config: Path, command: str, answer: str) -> Done:
    """Run a command against a program that answers this."""
    reply = format_reply(Reply("ok", extra={"answer": answer}))
    thread = answers(config.parent / "eximacl.sock", reply)
    done = eximacl(command)
    thread.join()
    return done


@pytest.mark.parametrize("command", ["status", "reload"])
def test_an_answer_of_another_program(config: Path, command: str) -> None:
    done = told(config, command, "[]")
    assert (done.status, done.out) == (exits.UNAVAILABLE, "")
    assert "is it from another version, or another program" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"problems": [ESCAPE]},
        {"notes": [ESCAPE]},
        {"version": ESCAPE},
        {"config": ESCAPE},
        {"counts": {ESCAPE: 1}},
        {"dns": {"servers": [ESCAPE]}},
        {"records": {ESCAPE: {"path": ESCAPE, "waiting": 0, "dropped": 0, "lost": 0}}},
    ],
    ids=lambda answer: next(iter(answer)),
)
def test_no_escape_reaches_the_terminal(config: Path, answer: dict[str, object]) -> None:
    done = told(config, "status", json.dumps({**LEAST, **answer}))
    assert "\\x1b]0;mine\\x07" in done.out
    assert done.out.replace("\n", "").isprintable()
