"""Putting a request to a state where no daemon runs; `test_blocks.py` and `test_disposable.py` put theirs to both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eximacl.daemon.state_requests import StateRequest, Values, given, part, state_source
from eximacl.policy.state import State, StateError
from eximacl.protocol.client import DaemonError
from eximacl.protocol.exim import ProtocolError
from eximacl.state import SqliteState


async def _seen(state: State, values: Values, now: float) -> dict[str, Any]:
    return {"seen": state.first_seen(given(values, "key"), now, now + 60) == now}


REQUESTS = {"read": StateRequest(_seen), "write": StateRequest(_seen, writes=True)}


def test_a_file_that_is_there_is_used(tmp_path: Path) -> None:
    SqliteState(tmp_path / "state.db").close()
    source = state_source(f"sqlite:{tmp_path}/state.db", REQUESTS)
    assert [source("write", {"key": "k"}), source("read", {"key": "k"})] == [{"seen": True}, {"seen": False}]


def test_no_file_is_made(tmp_path: Path) -> None:
    source = state_source(f"sqlite:{tmp_path}/state.db", REQUESTS)
    assert source("read", {"key": "k"}) == {"seen": True}
    with pytest.raises(StateError, match="start the daemon once, which creates it"):
        source("write", {"key": "k"})
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="do=read needs key="):
        state_source(f"sqlite:{tmp_path}/state.db", REQUESTS)("read", {"do": "read"})


@pytest.mark.parametrize("answer", [None, {}, {"a": "1"}, ["a"]])
def test_a_part_of_another_type_is_not_used(answer: Any) -> None:
    with pytest.raises(DaemonError, match="cannot be read"):
        part(answer, "a", int)
