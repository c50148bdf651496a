"""`sqlite:` keeps the contract, and answers as memory does."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from eximacl.policy.state import LOST_SECONDS, RESERVATION_SECONDS, State
from eximacl.state.memory import MemoryState
from eximacl.state.sqlite import SqliteState
from tests.state.contract import CENTURY, NOW
from tests.state.contract_all import Contract


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


class TestSqlite(Contract):
    @pytest.fixture(autouse=True)
    def _path(self, path: Path) -> None:
        self.path = path

    def make(self) -> State:
        return SqliteState(self.path)


# --- against the model


LIMITS = {"one": 1, "two": 2, "three": 3}
KEYS = st.sampled_from(sorted(LIMITS))
HOLDERS = st.sampled_from("abcd")
STEPS = st.sampled_from([0.0, 1.0, RESERVATION_SECONDS / 2, RESERVATION_SECONDS, LOST_SECONDS])
WINDOWS = st.sampled_from([1.0, RESERVATION_SECONDS, LOST_SECONDS])
ENDS = st.one_of(STEPS, st.sampled_from([CENTURY, math.inf]))


class Comparison(RuleBasedStateMachine):
    """Whatever is asked of both, SQLite answers as the memory does."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.model = MemoryState()
        self.sqlite = SqliteState(Path(self.directory.name) / "state.db")
        self.now = NOW

    @rule(step=st.one_of(STEPS, st.just(CENTURY)))
    def time_passes(self, step: float) -> None:
        self.now += step

    @rule(step=st.one_of(STEPS, st.just(CENTURY)))
    def the_clock_is_set_back(self, step: float) -> None:
        self.now = max(1.0, self.now - step)  # no kernel takes a time before 1970 (settimeofday(2))

    @rule(key=KEYS, holder=HOLDERS, seconds=STEPS)
    def reserve(self, key: str, holder: str, seconds: float) -> None:
        asked = (key, LIMITS[key], holder, self.now)
        peeked = self.sqlite.peek(*asked)
        answer = self.sqlite.reserve(*asked, self.now + seconds)
        assert answer == peeked == self.model.reserve(*asked, self.now + seconds)

    @rule(key=KEYS, holder=HOLDERS)
    def peek(self, key: str, holder: str) -> None:
        asked = (key, LIMITS[key], holder, self.now)
        assert self.sqlite.peek(*asked) == self.model.peek(*asked)

    @rule(holder=HOLDERS)
    def commit(self, holder: str) -> None:
        assert self.sqlite.commit(holder, self.now) == self.model.commit(holder, self.now)

    @rule(holder=HOLDERS)
    def release(self, holder: str) -> None:
        assert self.sqlite.release(holder) == self.model.release(holder)

    @rule(key=KEYS, window=WINDOWS, most=st.sampled_from([1, 2, 3, 10]))
    def count(self, key: str, window: float, most: int) -> None:
        asked = (key, window, most, self.now)
        assert self.sqlite.count(*asked) == self.model.count(*asked)

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        for state in (self.sqlite, self.model):
            state.forget(key)

    @rule(key=KEYS, seconds=STEPS)
    def first_seen(self, key: str, seconds: float) -> None:
        asked = (key, self.now, self.now + seconds)
        assert self.sqlite.first_seen(*asked) == self.model.first_seen(*asked)

    @rule(key=KEYS, seconds=STEPS)
    def remember(self, key: str, seconds: float) -> None:
        asked = (key, self.now, self.now + seconds)
        assert self.sqlite.remember(*asked) == self.model.remember(*asked)

    @rule(key=KEYS, seconds=ENDS, why=HOLDERS)
    def block(self, key: str, seconds: float, why: str) -> None:
        for state in (self.sqlite, self.model):
            state.block(key, self.now, self.now + seconds, why)

    @rule(key=KEYS)
    def unblock(self, key: str) -> None:
        assert self.sqlite.unblock(key) == self.model.unblock(key)

    @rule()
    def prune(self) -> None:
        assert self.sqlite.prune(self.now) == self.model.prune(self.now)

    @invariant()
    def the_same_places_and_never_too_many(self) -> None:
        for key, limit in LIMITS.items():
            places = self.sqlite.places(key, self.now)
            assert places == self.model.places(key, self.now)
            assert sum(places) <= limit

    @invariant()
    def the_same_is_known(self) -> None:
        for key in LIMITS:
            for window in (1.0, RESERVATION_SECONDS, 2 * LOST_SECONDS):
                assert self.sqlite.tally(key, window, self.now) == self.model.tally(key, window, self.now)
            assert self.sqlite.seen(key, self.now) == self.model.seen(key, self.now)
            assert self.sqlite.blocked(key, self.now) == self.model.blocked(key, self.now)
        assert self.sqlite.blocks(self.now) == self.model.blocks(self.now)

    def teardown(self) -> None:
        self.sqlite.close()
        self.directory.cleanup()


def test_sqlite_answers_as_memory_does() -> None:
    run_state_machine_as_test(Comparison, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))
