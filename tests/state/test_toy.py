"""A state that has to be waited for keeps the contract, too; see `tests.daemon.test_late_state` for the daemon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.policy.state import State, StateError
from tests.state.contract import NOW, Now, opened
from tests.state.contract_all import Contract
from tests.state.toy import ToyServer, ToyState


class TestToy(Contract):
    @pytest.fixture(autouse=True)
    def _server(self, tmp_path: Path) -> Iterator[None]:
        self.path = tmp_path / "toy.sock"
        with ToyServer(self.path):
            yield

    def make(self) -> State:
        return ToyState(self.path)


def test_without_its_server_each_verb_fails(tmp_path: Path) -> None:
    with opened(Now(ToyState(tmp_path / "toy.sock"))) as state, pytest.raises(StateError, match=r"toy\.sock"):
        state.blocked("key", NOW)
