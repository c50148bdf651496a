"""`eximacl check`: verdicts, exit statuses, explanations, wrong inputs, with the daemon and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from tests.cli.conftest import POLICY
from tests.cli.running import eximacl
from tests.lab.daemon import Daemon
from tests.lab.names import Names

GOOD = ("--ip", "192.0.2.7", "--host", "mx.example.net", "--from", "a@example.net")

VERDICTS = [
    pytest.param((*GOOD, "--rcpt", "steve@example.org"), 0, "accept   250 no objection\n", id="accept"),
    pytest.param(("--ip", "192.0.2.7"), 0, "accept   250 no objection at connect\n", id="connect"),
    pytest.param(
        (*GOOD, "--rcpt", "nobody@example.org"),
        1,
        "reject   550 5.1.1 mail to nobody not accepted here   (valid_recipient: unknown-recipient)",
        id="reject",
    ),
    pytest.param(
        ("--ip", "192.0.2.7", "--host", "mx.example.sa", "--from", "", "--rcpt", "steve@example.org"),
        2,
        "defer   451 4.7.1 mail from hosts under .sa is not accepted here   (rdns_tld: rdns-tld)",
        id="defer",
    ),
    pytest.param(("--ip", "2001:db8::7", "--host", "mx.example.sa"), 2, "defer   451", id="connect"),
    pytest.param(("--ip", "192.0.2.7", "--host", "mx.example.sa", "--helo", "x"), 2, "defer   451", id="helo"),
    pytest.param((*GOOD,), 0, "accept   250", id="mail"),
    pytest.param((*GOOD, "--stage", "end"), 0, "accept   250", id="end"),
    pytest.param((*GOOD, "--rcpt", "steve@example.org", "--stage", "data"), 0, "accept   250", id="data"),
    pytest.param(
        (*GOOD, "--rcpt", "steve@elsewhere.example"),
        0,
        "accept   250 no objection   (not in policy.domains)\n",
        id="not ours",
    ),
    pytest.param((*GOOD, "--rcpt", " <nobody@example.org> "), 1, "reject   550 5.1.1 mail to nobody", id="brackets"),
    pytest.param((*GOOD, "--rcpt", '"no body"@example.org'), 1, "reject   550 5.1.1 mail to no body", id="quotes"),
    pytest.param(("--ip", "192.0.2.7", "--host", "a.sa", "--from", "<>"), 2, "defer   451", id="null sender"),
    pytest.param(
        ("--ip", "192.0.2.7", "--host-deferred", "--from", "", "--rcpt", "steve@example.org"),
        0,
        "accept",
        id="deferred",
    ),
    pytest.param(
        ("--ip", "192.0.2.7", "--sender", "", "--recipient", "nobody@example.org"),
        1,
        "reject   550 5.1.1 mail to nobody",
        id="sender and recipient",
    ),
]


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(("args", "status", "line"), VERDICTS)
def test_verdicts_offline(args: tuple[str, ...], status: int, line: str) -> None:
    done = eximacl("check", "--offline", *args)
    assert (done.status, done.err) == (status, "")
    assert done.out.startswith(line)


def test_a_drop_is_a_reject_and_says_what_follows(config: Path) -> None:
    text = config.read_text()
    config.write_text(text.replace("[checks.valid_recipient]\n", '[checks.valid_recipient]\naction = "drop"\n'))
    assert config.read_text() != text
    done = eximacl("check", "--offline", "--explain", *GOOD, "--rcpt", "nobody@example.org")
    assert done.status == 1
    assert "(valid_recipient: unknown-recipient)\n  then Exim closes the connection\n" in done.out
    assert " valid_recipient      drop " in done.out
    answer = json.loads(eximacl("check", "--offline", "--json", *GOOD, "--rcpt", "nobody@example.org").out)
    assert (answer["verdict"], answer["close"]) == ("reject", "yes")


@pytest.mark.usefixtures("daemon")
def test_verdicts_of_the_daemon_are_the_same() -> None:
    for row in VERDICTS:
        args, status, line = row.values
        done = eximacl("check", *args)  # type: ignore[misc]
        assert (done.status, done.err) == (status, "")
        assert done.out.startswith(line)  # type: ignore[arg-type]


def test_nothing_is_counted_or_logged(daemon: Daemon, config: Path) -> None:
    for _ in range(3):
        assert eximacl("check", *GOOD, "--rcpt", "steve.1.count@example.org").status == 0
    eximacl("check", *GOOD, "--rcpt", "nobody@example.org")
    status = json.loads(eximacl("status", "--json").out)
    daemon.close()
    assert [status["counts"][word] for word in ("accept", "defer", "reject", "dry")] == [0, 0, 0, 4]
    assert not (config.parent / "rejections.jsonl").exists()
    assert not (config.parent / "journal").exists()


@pytest.mark.usefixtures("config")
def test_explain_shows_each_check_question_and_answer() -> None:
    done = eximacl("check", "--offline", "--explain", *GOOD, "--rcpt", "steve.3.count@example.org")
    lines = [line.split() for line in done.out.splitlines()]
    assert [line[:2] for line in lines[2:]] == [
        ["bounce_tag", "pass"],
        ["disposable", "alias"],
        ["bad_recipient", "pass"],
        ["valid_recipient", "pass"],
        ["localpart_pattern", "pass"],
        ["bounce_storm", "pass"],
        ["blocked_recipient", "pass"],
        ["blocked", "all:steve@example.org"],
        ["sender_domain", "pass"],
        ["rdns_tld", "pass"],
        ["disposable", "pass"],
        ["known", "counted:steve.3.count@example.org"],
        ["seen", "disposable:192.0.2.0/24:counted:steve.3.count@example.org"],
        ["count", "disposable:192.0.2.0/24:steve@example.org"],
        ["firstseen", "disposable:192.0.2.0/24:counted:steve.3.count@example.org"],
        ["peek", "counted:steve.3.count@example.org"],
        ["reserve", "counted:steve.3.count@example.org"],
        [],
        ["Exim", "would"],
    ]
    assert lines[17][-4:] == ["reserved", "1", "of", "3"], "a peek reserves nothing"
    assert lines[18][-6:] == ["reserved", "1", "of", "3", "(not", "done)"]
    assert "data end" in done.out


@pytest.mark.usefixtures("config")
def test_json() -> None:
    done = eximacl("check", "--offline", "--json", *GOOD, "--rcpt", "nobody@example.org")
    answer = json.loads(done.out)
    assert (answer["verdict"], answer["code"], answer["check"]) == ("reject", 550, "valid_recipient")
    assert [line["result"] for line in answer["trace"]] == ["pass", "pass", "pass", "reject"]
    assert done.status == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        pytest.param((), "give at least --ip", id="nothing"),
        pytest.param(("--ip", "192.0.2.999"), "--ip: '192.0.2.999' is not an IP address", id="no address"),
        pytest.param(("--ip", "[::1]"), "'[::1]' is not an IP address; write it without brackets", id="brackets"),
        pytest.param(("--ip", "192.0.2.7", "--rcpt", "steve"), "--rcpt: 'steve' is not an address", id="no recipient"),
        pytest.param(("--ip", "192.0.2.7", "--rcpt", "@example.org"), "is not an address", id="no localpart"),
        pytest.param(("--ip", "192.0.2.7", "--rcpt", "<>"), "--rcpt: '<>' is not an address", id="null recipient"),
        pytest.param(("--ip", "192.0.2.7", "--from", "<@a.example>"), "is not an address", id="sender's localpart"),
        pytest.param(("--ip", "192.0.2.7", "--from", "steve"), "--from: 'steve' is not an address", id="no sender"),
        pytest.param(("--ip", "192.0.2.7", "--stage", "rcpt"), "stage rcpt needs --rcpt", id="rcpt without"),
        pytest.param(("--ip", "192.0.2.7", "--stage", "smtp"), "'smtp' is not one of", id="no stage"),
        pytest.param(("--ip", "192.0.2.7", "--host", "mail example"), "is not a host name", id="no host"),
        pytest.param(("--ip", "192.0.2.7", "--host", "a", "--host-deferred"), "leave out one of them", id="both"),
        pytest.param(
            ("--ip", "192.0.2.7", "--batch", "x"), "--batch takes its queries from the file", id="batch and ip"
        ),
        pytest.param(("--batch", "x", "--explain"), "leave out --batch", id="batch and explain"),
        pytest.param(("--frobnicate",), "No such option", id="no option"),
    ],
)
@pytest.mark.usefixtures("config")
def test_a_wrong_command_line(args: tuple[str, ...], words: str) -> None:
    done = eximacl("check", *args)
    assert done.status == 64
    assert words in done.err
    assert done.out == ""


@pytest.mark.usefixtures("config")
def test_no_daemon() -> None:
    done = eximacl("check", "--ip", "192.0.2.7")
    assert done.status == 69
    assert "is the daemon running" in done.err


def test_no_policy_file(tmp_path: Path) -> None:
    done = eximacl("check", "--ip", "192.0.2.7", "--config", tmp_path / "none.toml")
    assert done.status == 78
    assert "none.toml does not exist; --config or EXIMACL_CONFIG names it" in done.err


def test_a_wrong_policy_file_offline(config: Path) -> None:
    config.write_text("[polcy]\n[server]\nmodes = 1\n")
    done = eximacl("check", "--offline", "--ip", "192.0.2.7")
    assert done.status == 78
    assert "did you mean policy?" in done.err
    assert "did you mean mode?" in done.err


@pytest.mark.usefixtures("config")
def test_hostile_values_do_not_reach_the_terminal() -> None:
    done = eximacl("check", "--offline", *GOOD, "--rcpt", "\x1b[2Jnobody\u202e\udcff@example.org")
    assert done.status == 1
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out


def test_a_daemon_that_refuses(daemon: Daemon, config: Path) -> None:
    assert ask(config.parent / "eximacl.sock", format_query("nonsense", {})).verdict == "error"
    assert daemon
    for offline in ((), ("--offline",)):
        done = eximacl("check", *offline, "--ip", "192.0.2.7", "--helo", "x" * 70_000)
        assert done.status == 65
        assert "line-too-long" in done.err


def test_offline_the_lists_are_tried_out_first(config: Path) -> None:
    listed = {("2.0.0.127.bl.example", "A"): ["127.0.0.2"], ("7.2.0.192.bl.example", "A"): ["127.0.0.2"]}
    with Names(listed) as names:
        config.write_text(f'{POLICY}[dns]\nservers = ["{names.address}"]\n[checks.dnsbl]\nzones = ["bl.example"]\n')
        done = eximacl("check", "--offline", *GOOD, "--rcpt", "steve@example.org")
        assert (done.status, done.err) == (1, "")
        assert "dnsbl-listed" in done.out
        names.learn({("*.bl.example", "A"): ["127.0.0.2"], ("1.0.0.127.bl.example", "A"): ["127.0.0.2"]})
        done = eximacl("check", "--offline", *GOOD, "--rcpt", "steve@example.org")
        assert done.status == 0
