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
@pytest.mark.parametrize("given", [[], ["--all", "--client", "example.net"]])
def test_what_to_forget_must_be_said_once(given: list[str]) -> None:
    result = eximacl("greylist", "forget", *given)
    assert result.status == exits.USAGE
    assert "say what to forget" in result.err


def test_the_running_daemon_is_asked(config: Path, state: SqliteState) -> None:
    with Daemon(config, config.parent / "eximacl.sock", config.parent / "daemon.log"):
        assert len(eximacl("greylist", "list", "--json").out.splitlines()) == 3
        assert eximacl("greylist", "forget", "--standing", "waiting").out == "forgotten: 1\n"
    assert left(state) == [PASSED, KNOWN]
