"""`eximacl check --batch`: files as Exim writes queries and TSV, bad lines among good ones."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from eximacl.cli.commands.check import PROGRESS_LINES
from tests.cli.running import Done, eximacl

TSV = (
    "ip\thost\tfrom\trcpt\n"
    "192.0.2.7\tmx.example.net\ta@example.net\tsteve@example.org\n"
    "192.0.2.8\t\t\tnobody@example.org\n"
)
WIRE = (
    'rcpt v=1 tx=1 ip=192.0.2.7 from="" rcpt="steve@example.org"\n'
    "\n"
    'connect v=1 ip=192.0.2.7 host="mx.example.sa"\n'
    "end v=1 tx=1\n"
)


@pytest.fixture(autouse=True)
def _policy(config: Path) -> None:
    pass


def batch(data: bytes | str, *args: str) -> Done:
    data = data.encode() if isinstance(data, str) else data
    return eximacl("check", "--offline", "--batch", "-", *args, stdin=data)


def test_tsv() -> None:
    done = batch(TSV)
    assert done.out.splitlines() == [
        "2\taccept\t-\tsteve@example.org\t",
        "3\treject\tunknown-recipient\tnobody@example.org\t5.1.1 mail to nobody not accepted here",
    ]
    assert (done.status, done.err) == (0, "")


def test_wire_lines() -> None:
    done = batch(WIRE, "--json")
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [(answer["line"], answer["verdict"]) for answer in answers] == [(1, "accept"), (3, "defer"), (4, "accept")]


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "queries.tsv"
    path.write_text(TSV)
    assert eximacl("check", "--offline", "--batch", path).out == batch(TSV).out


@pytest.mark.usefixtures("daemon")
def test_by_the_daemon() -> None:
    assert eximacl("check", "--batch", "-", stdin=TSV.encode()).out == batch(TSV).out


def test_every_line_of_a_batch_is_a_transaction_of_its_own() -> None:
    line = "192.0.2.7\tsteve.1.count@example.org\n"
    assert batch("ip\trcpt\n" + line * 3).out.count("accept") == 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(TSV + "192.0.2.9\tonly two\n", "line 4: 2 columns, but the first line names 4", id="columns"),
        pytest.param(WIRE + "nonsense v=1\n", "line 5: 'nonsense' is not a stage", id="stage"),
        pytest.param(WIRE + 'rcpt ip="open\n', "line 5: expected key=value", id="syntax"),
        pytest.param(WIRE + "rcpt tx=1\n", "line 5: stage rcpt needs ip, rcpt", id="keys"),
        pytest.param("ip\tstage\n::1\tsmtp\n::1\tconnect\n", "line 2: 'smtp' is not a stage", id="tsv stage"),
        pytest.param("ip\n192.0.2.7\n999.1.1.1\n", "line 3: '999.1.1.1' is not an IP address", id="address"),
        pytest.param(WIRE.encode() + b"rcpt \xff\n", "line 5: expected key=value", id="bytes"),
    ],
)
def test_bad_lines_are_named_and_the_others_asked(data: bytes | str, words: str) -> None:
    done = batch(data)
    assert done.status == 65
    assert words in done.err
    assert "1 of " in done.err
    assert done.out


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param("", "there is no query in it", id="empty"),
        pytest.param("ip\tcolour\n1\t2\n", "(colour); the columns are stage ip", id="column"),
        pytest.param("rcpt\nx@example.org\n", "ip is missing", id="no ip"),
        pytest.param(b"\x00\xff\n", "neither a query nor", id="binary"),
    ],
)
def test_a_file_that_is_no_batch(data: bytes | str, words: str) -> None:
    done = batch(data)
    assert done.status == 65
    assert words in done.err
    assert done.out == ""


def test_no_file(tmp_path: Path) -> None:
    done = eximacl("check", "--offline", "--batch", tmp_path / "none")
    assert done.status == 74
    assert "none: No such file" in done.err


def test_without_a_daemon_it_ends_at_once() -> None:
    done = eximacl("check", "--batch", "-", stdin=TSV.encode())
    assert done.status == 69
    assert done.out == ""


def test_a_long_batch_shows_a_bar_on_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "queries.tsv"
    path.write_text("ip\n" + "192.0.2.7\n" * PROGRESS_LINES)
    ours, theirs = pty.openpty()
    with (tmp_path / "out").open("wb") as out:
        command = [sys.executable, "-m", "eximacl", "check", "--offline", "--batch", str(path)]
        process = subprocess.Popen(command, stdout=out, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the other side has ended
        pass
    os.close(ours)
    assert process.wait() == 0
    assert b"Asking" in shown
    assert b"100%" in shown
    assert (tmp_path / "out").read_text().count("accept") == PROGRESS_LINES
