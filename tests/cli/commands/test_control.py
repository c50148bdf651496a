"""`eximacl status` and `eximacl reload` with the real daemon."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from eximacl.cli import exits
from eximacl.protocol.exim import Reply, format_reply
from tests.cli.running import Done, eximacl
from tests.lab.daemon import Daemon
from tests.protocol.test_client import answers

ESCAPE = "\x1b]0;mine\x07"
GOOD = {"problems": [], "notes": [], "uptime": 86400.7}


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


def told(config: Path, command: str, answer: str) -> Done:
    """Run a command against somebody who answers this."""
    reply = format_reply(Reply("ok", extra={"answer": answer}))
    thread = answers(config.parent / "eximacl.sock", reply)
    done = eximacl(command)
    thread.join()
    return done


@pytest.mark.parametrize("command", ["status", "reload"])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("", id="none"),
        pytest.param("{", id="no JSON"),
        pytest.param("[" * 200_000, id="deep"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="nothing in it"),
        pytest.param(json.dumps({**GOOD, "problems": None}), id="no problems"),
        pytest.param(json.dumps({**GOOD, "problems": "text"}), id="problems are a text"),
        pytest.param(json.dumps({**GOOD, "notes": [{"a": 1}]}), id="notes are tables"),
        pytest.param(json.dumps({**GOOD, "more": [[[[[[[[[1]]]]]]]]]}), id="deeper than a status"),
    ],
)
def test_an_answer_of_another_program(config: Path, command: str, answer: str) -> None:
    done = told(config, command, answer)
    assert (done.status, done.out) == (exits.UNAVAILABLE, "")
    assert "the daemon's answer cannot be read: is it of another version, or another program?" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("uptime", ["null", '"1"', "[]"])
def test_an_uptime_that_is_none(config: Path, uptime: str) -> None:
    answer = f'{{"problems": [], "notes": [], "uptime": {uptime}}}'
    assert told(config, "status", answer).status == exits.UNAVAILABLE


@pytest.mark.parametrize("uptime", ["1" * 400, "1e999", "NaN", "true", "86400.7"])
def test_any_number_is_an_uptime(config: Path, uptime: str) -> None:
    done = told(config, "status", f'{{"problems": [], "notes": [], "uptime": {uptime}}}')
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("status", {**GOOD, "problems": [ESCAPE]}),
        ("status", {**GOOD, ESCAPE: ESCAPE}),
        ("status", {**GOOD, "counts": {ESCAPE: [ESCAPE, {ESCAPE: ESCAPE}]}}),
        ("reload", {**GOOD, "problems": [ESCAPE]}),
        ("reload", {**GOOD, "notes": [ESCAPE]}),
    ],
)
def test_no_escape_reaches_the_terminal(config: Path, command: str, answer: dict[str, object]) -> None:
    done = told(config, command, json.dumps(answer))
    assert "\\x1b]0;mine\\x07" in done.out + done.err
    assert (done.out + done.err).replace("\n", "").isprintable()


def test_empty_figures_are_left_out(config: Path) -> None:
    dns = {"entries": 2, "servers": [], "faults": {}, "servers_probed": ["192.0.2.53", "192.0.2.54"]}
    done = told(config, "status", json.dumps({**GOOD, "dns": dns}))
    assert done.out.splitlines() == [
        "problems   none",
        "notes      none",
        "uptime     86400 s",
        "dns        entries 2  servers_probed 192.0.2.53; 192.0.2.54",
    ]
