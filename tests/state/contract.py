"""What the tests of every state backend share: their clock, hostile texts, and how a backend is opened."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import pytest

from eximacl.policy.later import settled, waits
from eximacl.policy.state import State

NOW = 1_800_000_000.0
UNTIL = NOW + 3600
LATER = UNTIL + 1
CENTURY = 100 * 365.25 * 86400

HOSTILE = ("", "\0", "a\0b", "'; DROP TABLE places; --", "\udce9\udcff", "\ud800", "ä", "A" * 70_000, "%", "?")


class _Closable(Protocol):
    def close(self) -> Any: ...


S = TypeVar("S", bound=_Closable)


@contextmanager
def opened(state: S) -> Iterator[S]:
    """Close `state` at the end, whatever happens."""
    try:
        yield state
    finally:
        state.close()


class Now:
    """A state each of whose verbs returns its answer, waited for where that is needed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        verb = getattr(self._state, name)

        def answered(*arguments: Any) -> Any:
            answer = verb(*arguments)
            return self._runner.run(settled(answer)) if waits(answer) else answer

        return answered

    def close(self) -> None:
        """Close the state, and the event loop that its answers were waited for on."""
        self.__getattr__("close")()
        self._runner.close()


class Family(ABC):
    """The tests of a family of verbs. Each backend runs them; its `make` gives one more handle of the same state."""

    @abstractmethod
    def make(self) -> State:
        """Open the state that this test is about, once more."""

    def open(self) -> Now:
        """Open it for a test that waits for no answer."""
        return Now(self.make())

    @pytest.fixture
    def state(self) -> Iterator[Now]:
        with opened(self.open()) as state:
            yield state
