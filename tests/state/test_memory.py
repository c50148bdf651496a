"""`memory:` keeps the contract."""

from __future__ import annotations

import pytest

from eximacl.policy.state import State
from eximacl.state.memory import MemoryState
from tests.state.contract import NOW, UNTIL
from tests.state.contract_all import Contract


class TestMemory(Contract):
    @pytest.fixture(autouse=True)
    def _shared(self) -> None:
        self.shared = MemoryState()

    def make(self) -> State:
        return self.shared


def test_nothing_is_kept_of_what_was_given_back() -> None:
    state = MemoryState()
    for number in range(100):
        state.reserve(f"key {number}", 1, f"holder {number}", NOW, UNTIL)
        state.release(f"holder {number}")
    assert state.size()[0] == 0


def test_a_busy_window_has_one_expiry() -> None:
    """A window that has events all day must not grow with them."""
    state = MemoryState()
    for number in range(10_000):
        state.count("key", 60, 20, NOW + number)
    assert state.size() == (1, 1)


def test_an_expiry_brought_forward_is_looked_at_in_time_and_once() -> None:
    state = MemoryState()
    for until in (UNTIL + 2, UNTIL + 1, UNTIL):
        state.block("key", NOW, until, "why")
        state.unblock("key")
    state.block("key", NOW, UNTIL, "why")
    assert [state.prune(UNTIL), state.prune(UNTIL + 5)] == [1, 0]
    assert state.size() == (0, 0)
