"""`eximacl log`: what was refused, in all files of the log, for people and for machines, and as it happens."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eximacl.cli.commands.log import FOLLOW_LAST, NO_CHECK, PROGRESS_BYTES
from eximacl.cli.output import CLEAR_LINE
from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from eximacl.system.times import zone_names
from tests.archive.holding import let_everybody_pass, nobody
from tests.cli.running import eximacl
from tests.cli.terminal import Terminal, on_terminal
from tests.lab.daemon import Daemon


def line(number: int, **changed: Any) -> bytes:
    entry = {
        "time": f"2026-11-23T12:00:{number:02}.000+00:00",
        "from": "<ann@example.net>",
        "subject": "",
        "ip": "192.0.2.7",
        "recipient": f"r{number}@example.org",
        "host": "mx.example.net",
        "ref": f"7KQ2M9{number:02}",
        "check": "rdns-tld",
        "verdict": "reject",
        "domain": "example.org",
    }
    return json.dumps({**entry, **changed}).encode() + b"\n"


@pytest.fixture
def log(config: Path) -> Path:
    path = config.parent / "rejections.jsonl"
    path.write_bytes(line(5) + line(6, check="unknown-recipient"))
    path.with_name("rejections.jsonl.1").write_bytes(line(3) + line(4))
    path.with_name("rejections.jsonl.2.gz").write_bytes(gzip.compress(line(1) + line(2)))
    return path


ZONE = f"({zone_names()})"


def numbers(out: str) -> list[int]:
    return [int(row.split()[2][-2:]) for row in out.splitlines()[1:]]


def test_a_table_of_all_files_the_newest_last(log: Path) -> None:
    done = eximacl("log")
    assert (done.status, done.err) == (0, "")
    assert done.out.split()[:6] == ["TIME", ZONE, "REF", "VERDICT", "CHECK", "IP"]
    assert numbers(done.out) == [1, 2, 3, 4, 5, 6]
    assert "r6@example.org" in done.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--recipient", "r3@example.org"], [3], id="recipient"),
        pytest.param(["--rcpt", "r3@example.org"], [3], id="rcpt"),
        pytest.param(["--check", "unknown-recipient"], [6], id="check"),
        pytest.param(["--ref", "7kq2m9o4"], [4], id="reference"),
        pytest.param(["--since", "2026-11-23T12:00:05Z"], [5, 6], id="since"),
        pytest.param(["--until", "2026-11-23T12:00:02Z"], [1], id="until"),
        pytest.param(["--ip", "192.0.2.0/24", "--sender", "@example.net", "--last", "2"], [5, 6], id="the last two"),
    ],
)
def test_searches(log: Path, arguments: list[str], expected: list[int]) -> None:
    assert numbers(eximacl("log", *arguments).out) == expected


def test_json_lines_are_the_log_s_own(log: Path) -> None:
    done = eximacl("log", "--json")
    assert done.out.encode() == b"".join(map(line, range(1, 6))) + line(6, check="unknown-recipient")


def test_lines_of_others_are_made_safe(log: Path) -> None:
    log.write_bytes('{"subject":"\u202eä","from":"\x7f\x85"}\n'.encode())
    assert eximacl("log", "--json").out.endswith('{"subject": "\\u202e\\u00e4", "from": "\\u007f\\u0085"}\n')
    assert eximacl("log").out.splitlines()[-1].endswith("\\u202eä")


def test_the_name_of_a_check_finds_nothing_and_says_what_would(log: Path) -> None:
    done = eximacl("log", "--check", "valid_recipient")
    assert (done.status, done.out) == (66, "")
    assert done.err == f"Nothing was found.{NO_CHECK}\n"
    assert "reason" in done.err
    assert "unknown-recipient" in done.err


def test_nothing_found(log: Path) -> None:
    done = eximacl("log", "--domain", "example.net")
    assert done == (66, "", "Nothing was found.\n")


def test_damaged_lines_and_files_are_told(log: Path) -> None:
    log.write_bytes(b'{"torn\n' + line(5))
    done = eximacl("log", "--last", "1")
    assert (done.status, numbers(done.out), done.err) == (0, [5], f"1 damaged line was passed over, in {log}\n")
    log.write_bytes(b"x\ny\n")
    gz = log.with_name("rejections.jsonl.2.gz")
    gz.write_bytes(gz.read_bytes()[:30])
    done = eximacl("log", "--ref", "00000000")
    assert done.status == 74
    assert done.err.startswith(f"Error: {gz} is damaged, and was read up to there: ")
    assert done.err.endswith(f"\n2 damaged lines were passed over, in {log}\n")


def test_a_file_of_another_kind(log: Path) -> None:
    other = log.with_name("eximacl.toml")
    other.write_text("[policy]\n")
    assert eximacl("log", "--log", other).err.endswith("Nothing was found. Is this a rejection log?\n")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        pytest.param(["--ref", "7KQ2"], 65, "is not a reference", id="reference"),
        pytest.param(["--since", "soon"], 64, "--since: 'soon' is not a time", id="time"),
        pytest.param(["--since", "1h", "--until", "2h"], 64, "--until is not after --since", id="no time at all"),
        pytest.param(["--follow", "--until", "1h"], 64, "--follow has no end, so --until is not for it", id="an end"),
        pytest.param(["--last", "0"], 64, "0 is not in the range", id="last"),
        pytest.param(
            ["--log", "none.jsonl"], 66, "none.jsonl does not exist: has anything been refused yet?", id="file"
        ),
        pytest.param(["--log", "/none/none.jsonl"], 74, "/none/none.jsonl does not exist", id="directory"),
    ],
)
def test_what_cannot_be_searched(log: Path, arguments: list[str], status: int, words: str) -> None:
    done = eximacl("log", *arguments)
    assert done.status == status
    assert words in done.err


def test_a_line_of_a_time_that_cannot_be_shown(log: Path) -> None:
    log.write_bytes(line(5, time="9999-12-31T23:59:59-23:59") + line(6))
    done = eximacl("log", "--last", "2")
    assert (done.status, done.out.splitlines()[1].split()[0]) == (0, "9999-12-31T23:59:59-23:59")
    assert "7KQ2M906" in done.out


def test_who_may_not_read_the_log_is_told(log: Path) -> None:
    let_everybody_pass(log.parent)
    (log.parent / "eximacl.toml").chmod(0o644)
    for path in log.parent.glob("rejections*"):
        path.chmod(0o640)
    with nobody():
        done = eximacl("log")
    assert done.status == 74
    assert f"Error: {log} cannot be read: Permission denied; run this as root" in done.err
    log.parent.chmod(0o711)
    with nobody():
        done = eximacl("log", "--log", log)
    assert done.status == 74
    assert f"Error: {log.parent} cannot be read: Permission denied; run this as root" in done.err


def test_what_stands_first_on_a_narrow_terminal(log: Path) -> None:
    log.write_bytes(line(5, check="unknown-recipient", **{"from": "<ann@example.net>"}, recipient="steve@example.org"))
    shown = {columns: on_terminal("log", "--last", "1", columns=columns)[1] for columns in (80, 100)}
    assert [text.split()[:7] for text in shown.values()] == [
        ["TIME", ZONE, "REF", "VERDICT", "CHECK", "FROM", "RECIPIENT"]
    ] * 2
    assert "  unknown-recipient  <ann@example.net>  steve@example.org" in shown[100]


def test_no_log(config: Path) -> None:
    config.write_text(config.read_text().replace('"rejections.jsonl"', '""'))
    done = eximacl("log")
    assert done.status == 78
    assert "log.rejections is empty" in done.err


def test_what_the_daemon_writes_is_found(daemon: Daemon, config: Path) -> None:
    query = {"tx": "1", "ip": "192.0.2.7", "from": "a\x1b[2J@example.net", "rcpt": "ghost@example.org"}
    reply = ask(config.parent / "eximacl.sock", format_query("rcpt", query))
    daemon.close()
    done = eximacl("log", "--ref", reply.ref, "--ip", "192.0.2.7", "--domain", "example.org")
    assert "<a\\x1b[2J@example.net>" in done.out


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_on_a_terminal_each_row_fits(log: Path, columns: int) -> None:
    log.write_bytes(line(5, **{"from": f"<{'a' * 300}\x1b[2J@example.net>", "recipient": "日" * 100, "host": "h" * 99}))
    status, shown = on_terminal("log", "--last", "1", columns=columns)
    rows = shown.splitlines()
    assert (status, len(rows)) == (0, 2)
    assert all(len(row) <= columns for row in rows)
    assert rows[1].isprintable()


def test_a_long_search_shows_a_bar_on_a_terminal(log: Path, tmp_path: Path) -> None:
    log.write_bytes(line(5, host="x" * 1_000_000) * (PROGRESS_BYTES // 1_000_000 + 1) + line(6))
    with (tmp_path / "out").open("wb") as out:
        status, shown = on_terminal("log", "--ref", "7KQ2M906", stdout=out)
    assert status == 0
    assert "Searching" in shown
    assert "100%" in shown
    assert numbers((tmp_path / "out").read_text()) == [6]
    assert f"{CLEAR_LINE}TIME" in on_terminal("log", "--ref", "7KQ2M906")[1]


def test_a_pipe_that_closes_is_no_error(log: Path) -> None:
    log.write_bytes(line(5) * 20_000)
    command = f"{sys.executable} -m eximacl log --config {log.parent}/eximacl.toml --json | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def follow(*arguments: object) -> Terminal:
    return Terminal("log", "--follow", "--json", *arguments, columns=200)


def test_follow_goes_on_through_a_rotation(log: Path) -> None:
    running = follow("--domain", "example.org")
    running.until(lambda shown: b"7KQ2M906" in shown)
    with log.open("ab") as file:
        file.write(line(7) + line(8, domain="example.net", recipient="") + b"torn\n" + line(9)[:20])
    running.until(lambda shown: b"passed over" in shown)
    with log.open("ab") as file:
        file.write(line(9)[20:])
    running.until(lambda shown: b"7KQ2M909" in shown)
    log.rename(log.with_name("rejections.jsonl.0"))
    log.write_bytes(line(10))
    with log.with_name("rejections.jsonl.0").open("ab") as file:
        file.write(line(11))
    running.until(lambda shown: b"7KQ2M910" in shown and b"7KQ2M911" in shown)
    running.process.send_signal(signal.SIGINT)
    status, shown = running.end()
    assert status == 130
    found = [json.loads(row)["ref"][-2:] for row in shown.splitlines() if row.startswith("{")]
    assert found[:8] == ["01", "02", "03", "04", "05", "06", "07", "09"]
    assert sorted(found[8:]) == ["10", "11"]
    assert "1 damaged line was passed over" in shown


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        pytest.param([], FOLLOW_LAST, id="the last ones"),
        pytest.param(["--last", "3"], 3, id="as many as asked for"),
        pytest.param(["--since", "2026-11-01"], 24, id="since"),
    ],
)
def test_follow_begins_with(log: Path, arguments: list[str], count: int) -> None:
    log.write_bytes(b"".join(line(number) for number in range(10, 30)))
    running = follow(*arguments)
    running.until(lambda shown: b"7KQ2M929" in shown)
    running.process.send_signal(signal.SIGINT)
    assert running.end()[1].count('"ref"') == count


def test_follow_waits_for_a_log_that_is_not_there(config: Path) -> None:
    running = follow("--log", config.parent / "later.jsonl")
    running.until(lambda shown: b"later.jsonl does not exist yet; waiting for it" in shown)
    (config.parent / "later.jsonl").write_bytes(line(1))
    running.until(lambda shown: b"7KQ2M901" in shown)
    running.process.send_signal(signal.SIGINT)
    assert running.end()[0] == 130


def test_follow_what_cannot_be_read(config: Path) -> None:
    """A loop of links; a directory is refused by the option itself."""
    path = config.parent / "loop"
    path.symlink_to(path)
    done = eximacl("log", "--follow", "--log", path)
    assert done.status == 74
    assert "loop cannot be read: Too many levels of symbolic links" in done.err
