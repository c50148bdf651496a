"""`memory:` keeps the contract."""

from __future__ import annotations

import pytest

from eximacl.questions import State
from eximacl.state.memory import MemoryState
from tests.state.contract import NOW, UNTIL, Contract


class TestMemory(Contract):
    @pytest.fixture(autouse=True)
    def _shared(self) -> None:
        self.shared = MemoryState()

    def open(self) -> State:
        return self.shared


def test_nothing_is_kept_of_what_was_given_back() -> None:
    state = MemoryState()
    for number in range(100):
        state.reserve(f"key {number}", 1, f"holder {number}", NOW, UNTIL)
        state.release(f"holder {number}")
    assert (state._rows, state._holders) == ({}, {})
