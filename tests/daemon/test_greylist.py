"""What greylisting remembers: page by page, from any state, and answers that cannot be read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from eximacl.daemon.greylist import REQUESTS, Greylisted, GreylistFilter, forget_greylisted, greylisted
from eximacl.daemon.state_requests import state_source
from eximacl.policy.places import LISTED_MAX
from eximacl.protocol.client import DaemonError
from eximacl.protocol.exim import ProtocolError
from eximacl.state import SqliteState
from tests.state.contract import opened


def test_more_than_a_page(tmp_path: Path) -> None:
    path, count = tmp_path / "state.db", LISTED_MAX + 5
    now = time.time()
    with opened(SqliteState(path)) as state:
        for number in range(count):
            state.first_seen(f"greylist-known:{number:05}.example.net", now, now + 1000)
    source = state_source(f"sqlite:{path}", REQUESTS)
    found = list(greylisted(source))
    assert [one.client for one in found] == [f"{number:05}.example.net" for number in range(count)]
    assert forget_greylisted(source, found[:7]) == 7
    assert forget_greylisted(source, found[:8]) == 1
    assert len(list(greylisted(source, GreylistFilter(client="00009.example.net")))) == 1


def test_without_a_state_file_there_is_nothing(tmp_path: Path) -> None:
    source = state_source(f"sqlite:{tmp_path}/state.db", REQUESTS)
    assert list(greylisted(source)) == []
    assert forget_greylisted(source, [Greylisted("greylist-known:x", "known", "x", "", "", 0, 0)]) == 0
    assert not (tmp_path / "state.db").exists()


def test_another_checks_key_is_not_forgotten(tmp_path: Path) -> None:
    source = state_source(f"sqlite:{tmp_path}/state.db", REQUESTS)
    for values in ({"key": "rate:client:192.0.2.7"}, {}):
        with pytest.raises(ProtocolError):
            source("greylist-forget", values)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"greylist": {}, "more": False},
        {"greylist": [["greylist-known:x", 1.0]], "more": False},
        {"greylist": [["greylist-known:x", "1", 2]], "more": False},
        {"greylist": [["other", 1, 2]], "more": False},
        {"greylist": [], "more": 1},
    ],
)
def test_answers_that_cannot_be_read(answer: Any) -> None:
    with pytest.raises(DaemonError):
        list(greylisted(lambda _request, _values: answer))


def test_a_sender_with_blanks() -> None:
    key = 'greylist-waiting:example.net "a b"@example.net steve@example.org'
    (one,) = greylisted(lambda _request, _values: {"greylist": [[key, 1, 2]], "more": False})
    assert one == Greylisted(key, "waiting", "example.net", '"a b"@example.net', "steve@example.org", 1.0, 2.0)
