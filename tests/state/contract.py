"""What the tests of every state backend share: their clock, hostile texts, and how a backend is opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eximacl.policy.state import State

NOW = 1_800_000_000.0
UNTIL = NOW + 3600
LATER = UNTIL + 1
CENTURY = 100 * 365.25 * 86400

HOSTILE = ("", "\0", "a\0b", "'; DROP TABLE places; --", "\udce9\udcff", "\ud800", "ä", "A" * 70_000, "%", "?")


@contextmanager
def opened(state: State) -> Iterator[State]:
    """Close `state` at the end, whatever happens."""
    try:
        yield state
    finally:
        state.close()


class Family(ABC):
    """The tests of a family of verbs. Each backend runs them; its `open` gives one more handle of the same state."""

    @abstractmethod
    def open(self) -> State:
        """Open the state that this test is about, once more."""

    @pytest.fixture
    def state(self) -> Iterator[State]:
        with opened(self.open()) as state:
            yield state
