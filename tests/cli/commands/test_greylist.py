"""`eximacl greylist`: what it lists and forgets, with the daemon and without."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.cli import exits
from eximacl.state import SqliteState
from eximacl.system.times import local
from tests.cli.running import eximacl
from tests.lab.daemon import Daemon
from tests.state.contract import opened

WAITING = "greylist-waiting:192.0.2.0/24 news-return-#@example.com steve@example.org"
PASSED = "greylist-passed:example.net ann@partner.example steve@example.org"
KNOWN = "greylist-known:example.net"
ALL = [WAITING, PASSED, KNOWN]


@pytest.fixture
def state(config: Path) -> Iterator[SqliteState]:
    """The policy's state file, in which each of ALL is remembered, and what is another check's."""
    with opened(SqliteState(config.parent / "state.db")) as state:
        now = time.time()
        for key in (*ALL, "greylistings:other"):
            state.first_seen(key, now, now + 1000)
        for _ in range(3):
            state.count("greylist-passes:example.net", 1000, 3, now)
        yield state


def left(state: SqliteState) -> list[str]:
    return [key for key in ALL if state.seen(key, time.time()) is not None]


def test_list(state: SqliteState) -> None:
    since = local(state.seen(KNOWN, time.time()) or 0)
    lines = [" ".join(line.split()) for line in eximacl("greylist", "list").out.splitlines()]
    assert lines[0].startswith("CLIENT SENDER RECIPIENT STANDS SINCE (")
    assert [line.partition(f" {since}")[0] for line in lines[1:]] == [
        "192.0.2.0/24 news-return-#@example.com steve@example.org waiting",
        "example.net all all known",
        "example.net ann@partner.example steve@example.org passed",
    ]


@pytest.mark.usefixtures("state")
def test_json() -> None:
    found = [json.loads(line) for line in eximacl("greylist", "list", "--json").out.splitlines()]
    assert [list(one) for one in found] == [["standing", "client", "sender", "recipient", "since", "until"]] * 3
    assert [one["sender"] for one in found] == ["news-return-#@example.com", None, "ann@partner.example"]


FILTERS = [
    (["--client", "example.net"], [PASSED, KNOWN]),
    (["--client", "Example.NET"], [PASSED, KNOWN]),
    (["--client", "192.0.2.7"], [WAITING]),
    (["--client", "192.0.2.0/24"], [WAITING]),
    (["--client", "192.0.3.7"], []),
    (["--sender", "news-return-17-steve=example.org@example.com"], [WAITING]),
    (["--sender", "prvs=0787b0b1b2=Ann@partner.example"], [PASSED]),
    (["--sender", "@partner.example"], [PASSED]),
    (["--recipient", "<STEVE@example.org>"], [WAITING, PASSED]),
    (["--recipient", "@example.org", "--standing", "passed"], [PASSED]),
    (["--standing", "known", "--standing", "waiting"], [WAITING, KNOWN]),
    (["--recipient", "eve@example.org"], []),
    (["--client", "192.0.2.7/24"], [WAITING]),
    (["--from", "@partner.example"], [PASSED]),
    (["--rcpt", "eve@example.org"], []),
]


@pytest.mark.parametrize(("given", "expected"), FILTERS, ids=[" ".join(given) for given, _ in FILTERS])
def test_filters(state: SqliteState, given: list[str], expected: list[str]) -> None:
    found = eximacl("greylist", "list", "--json", *given).out.splitlines()
    assert len(found) == len(expected)
    result = eximacl("greylist", "forget", *given)
    assert result.status == (0 if expected else exits.NOT_FOUND)
    assert left(state) == [key for key in ALL if key not in expected]


def test_a_known_client_is_not_known_again_at_once(state: SqliteState) -> None:
    assert eximacl("greylist", "forget", "--client", "example.net").out == "forgotten: 2\n"
    assert state.tally("greylist-passes:example.net", 1000, time.time()) == 0


def test_forget_everything_of_greylisting(state: SqliteState) -> None:
    assert json.loads(eximacl("greylist", "forget", "--all", "--json").out) == {"forgotten": 3}
    assert left(state) == []
    assert state.seen("greylistings:other", time.time()) is not None
    assert eximacl("greylist", "list").err == "nothing is remembered\n"


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "say what to forget"),
        (["--all", "--client", "example.net"], "--all goes alone"),
        (["--all", "--sender", ""], "--all goes alone"),
        (["--all", "--standing", "known"], "--all goes alone"),
    ],
)
def test_what_to_forget_must_be_said_once(given: list[str], words: str) -> None:
    result = eximacl("greylist", "forget", *given)
    assert result.status == exits.USAGE
    assert words in result.err


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("command", ["list", "forget"])
@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--client", ["nonsense_", "127.0.1.300", "", "192.0.2.0/33", "a@example.net", "mx", "127.0.1"]),
        ("--sender", ["steve", "example.org", "steve@", "steve@a b", "steve@192.0.2.300"]),
        ("--recipient", ["steve", "", "<>", "@"]),
    ],
)
def test_a_filter_that_can_match_nothing_is_an_error(command: str, option: str, values: list[str]) -> None:
    for value in values:
        result = eximacl("greylist", command, option, value)
        assert (value, result.status, result.out) == (value, exits.USAGE, "")
        assert f"{option}: {value}" in result.err


def test_a_bounces_sender_is_not_all_senders(state: SqliteState) -> None:
    bounce = WAITING.replace("news-return-#@example.com", "")
    state.first_seen(bounce, time.time(), time.time() + 1000)
    lines = [" ".join(line.split()[:4]) for line in eximacl("greylist", "list").out.splitlines()[1:]]
    assert lines[0] == "192.0.2.0/24 <> steve@example.org waiting"
    for null in ("", "<>"):
        (found,) = eximacl("greylist", "list", "--json", "--sender", null).out.splitlines()
        assert (json.loads(found)["sender"], json.loads(found)["standing"]) == ("", "waiting")
    assert eximacl("greylist", "forget", "--sender", "").out == "forgotten: 1\n"
    assert left(state) == ALL


def test_what_has_passed_does_not_wait_too(state: SqliteState) -> None:
    """Its first attempt is remembered for some hours more; forgotten, too, the next attempt is the first."""
    first = PASSED.replace("passed", "waiting")
    state.first_seen(first, time.time(), time.time() + 1000)
    listed = [json.loads(line)["standing"] for line in eximacl("greylist", "list", "--json").out.splitlines()]
    assert listed == ["waiting", "known", "passed"]
    assert eximacl("greylist", "forget", "--client", "example.net", "--standing", "passed").out == "forgotten: 1\n"
    assert state.seen(first, time.time()) is None


def test_the_running_daemon_is_asked(config: Path, state: SqliteState) -> None:
    with Daemon(config, config.parent / "eximacl.sock", config.parent / "daemon.log"):
        assert len(eximacl("greylist", "list", "--json").out.splitlines()) == 3
        assert eximacl("greylist", "forget", "--standing", "waiting").out == "forgotten: 1\n"
    assert left(state) == [PASSED, KNOWN]
