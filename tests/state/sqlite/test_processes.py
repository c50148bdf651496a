"""`sqlite:` in several processes: parallel holders, a locked file, and `kill -9` at any moment."""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import pytest

from eximacl.policy.state import StateError
from eximacl.state.sqlite import SqliteState
from eximacl.state.sqlite.file import BUSY_MILLISECONDS, IMPATIENT_SECONDS
from tests.state.contract import NOW, UNTIL, opened
from tests.state.forks import Child, Tell, children

T = TypeVar("T")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def test_many_processes_make_the_same_file_at_once(path: Path) -> None:
    def work(tell: Tell) -> None:
        with opened(SqliteState(path)) as state:
            tell(state.reserve("key", 8, str(os.getpid()), NOW, UNTIL).slot)

    with children(work, 8) as started:
        answers = [child.line() for child in started]
        assert [child.wait() for child in started] == [0] * 8
    assert answers == ["reserved"] * 8


def test_processes_in_parallel_get_exactly_the_places_there_are(path: Path) -> None:
    limit, rounds = 3, 30

    def work(tell: Tell) -> None:
        with opened(SqliteState(path)) as state:
            for number in range(rounds):
                try:
                    answer: str = state.reserve(f"key {number}", limit, str(os.getpid()), NOW, UNTIL).slot
                except StateError:
                    answer = "busy"
                tell(f"{number} {answer}")

    with children(work, limit + 1) as started:
        answers = Counter(line for child in started for line in child.rest())
    with opened(SqliteState(path)) as state:
        for number in range(rounds):
            places = state.places(f"key {number}", NOW)
            assert places == (0, answers[f"{number} reserved"])
            assert answers[f"{number} busy"] or places == (0, limit)


@pytest.mark.parametrize("seed", range(36))
def test_kill_9_loses_no_commit_and_lets_nobody_in(path: Path, seed: int) -> None:
    """Two writers of one file, killed at any moment: between two verbs, or in the middle of one."""
    limit = 3
    dice = random.Random(seed)

    def work(tell: Tell) -> None:
        with opened(SqliteState(path)) as state:
            for number in itertools.count():
                holder = f"{os.getpid()}-{number}"
                with suppress(StateError):
                    place = state.reserve(f"key {number // 2}", limit, holder, NOW, UNTIL)
                    if place.slot == "reserved" and state.commit(holder, NOW) == "committed":
                        tell(holder)

    acknowledged: set[str] = set()
    with Child(work) as first, Child(work) as second:
        acknowledged.update(first.line() for _ in range(dice.randrange(1, 12)))
        for _ in range(dice.randrange(20_000)):
            pass
        first.kill()
        acknowledged.update(first.rest())
        acknowledged.add(second.line())  # the other goes on, or has recovered the file
        second.kill()
        acknowledged.update(second.rest())
    with opened(SqliteState(path)) as state:
        assert {holder for holder in acknowledged if state.commit(holder, NOW) != "committed"} == set()
        # While one writer has the lock, the other may pass over numbers: the highest counts, not how many there are.
        highest = max(int(holder.partition("-")[2]) for holder in acknowledged)
        places = [state.places(f"key {number}", NOW) for number in range(highest // 2 + 2)]
    assert max(map(sum, places)) <= limit
    assert "" not in acknowledged
    # Killed between its commit and its line: at most one for each writer.
    assert len(acknowledged) <= sum(committed for committed, _ in places) <= len(acknowledged) + 2


def patiently(verb: Callable[..., T], *asked: object) -> T:
    """Ask until the lock is free: the machine may be slow, and the lock held for longer than a verb may wait."""
    while True:
        with suppress(StateError):
            return verb(*asked)


def test_processes_that_count_in_one_window_lose_no_event(path: Path) -> None:
    rounds, workers = 100, 4

    def work(tell: Tell) -> None:
        with opened(SqliteState(path)) as state:
            for number in range(rounds):
                tell(str(patiently(state.count, "key", 600, 1000, NOW + number)))

    with children(work, workers) as started:
        answers = [int(line) for child in started for line in child.rest()]
    assert sorted(answers) == list(range(1, rounds * workers + 1))
    with opened(SqliteState(path)) as state:
        assert state.tally("key", 600, NOW + rounds) == rounds * workers


@pytest.mark.parametrize("seed", range(6))
def test_kill_9_loses_no_event_that_was_counted(path: Path, seed: int) -> None:
    dice = random.Random(seed)

    def work(tell: Tell) -> None:
        with opened(SqliteState(path)) as state:
            for number in itertools.count():
                tell(str(state.count("key", 600, 10_000, NOW + number / 1000)))

    with Child(work) as child:
        told = [child.line() for _ in range(dice.randrange(1, 50))]
        for _ in range(dice.randrange(20_000)):
            pass
        child.kill()
        told += child.rest()
    with opened(SqliteState(path)) as state:
        # Killed between its count and its line: at most one more.
        assert len(told) <= state.tally("key", 600, NOW) <= len(told) + 1
        assert int(told[-1]) == len(told)


def test_processes_that_see_a_key_at_once_agree_when_that_was(path: Path) -> None:
    keys = 30

    def work(tell: Tell) -> None:
        with opened(SqliteState(path)) as state:
            for number in range(keys):
                mine = NOW + os.getpid() / 1e6
                tell(f"{number} {patiently(state.first_seen, str(number), mine, UNTIL)}")

    with children(work, 4) as started:
        answers = {line for child in started for line in child.rest()}
        assert [child.wait() for child in started] == [0] * 4
    assert len(answers) == keys


def test_processes_that_block_one_key_extend_one_block(path: Path) -> None:
    rounds = 50

    def work(tell: Tell) -> None:
        with opened(SqliteState(path)) as state:
            for number in range(rounds):
                until = UNTIL + number * 1e6 + os.getpid()
                patiently(state.block, "key", NOW, until, str(os.getpid()))
                tell(str(until))

    with children(work, 4) as started:
        ends = [float(line) for child in started for line in child.rest()]
        names = {str(child.pid) for child in started}
    assert len(ends) == 4 * rounds
    with opened(SqliteState(path)) as state:
        (block,) = state.blocks(NOW)
    assert (block.until, block.why in names) == (max(ends), True)


def test_of_processes_that_end_one_block_one_is_told_so(path: Path) -> None:
    keys = 30
    with opened(SqliteState(path)) as state:
        for number in range(keys):
            state.block(str(number), NOW, UNTIL, "why")

    def work(tell: Tell) -> None:
        with opened(SqliteState(path)) as state:
            for number in range(keys):
                if patiently(state.unblock, str(number)):
                    tell(str(number))

    with children(work, 4) as started:
        ended = sorted(int(line) for child in started for line in child.rest())
    assert ended == list(range(keys))


def test_a_block_of_another_process_is_found_at_once(path: Path) -> None:
    def work(tell: Tell) -> None:
        with opened(SqliteState(path)) as theirs:
            for number in range(20):
                theirs.block(str(number), NOW, UNTIL, "why")
                tell(str(number))
                os.read(reading, 1)
                theirs.unblock(str(number))
                tell("ended")

    reading, writing = os.pipe()
    with opened(SqliteState(path)) as state, Child(work) as child:
        for _ in range(20):
            key = child.line()
            assert state.blocked(key, NOW) is not None
            os.write(writing, b"\n")
            assert child.line() == "ended"
            assert state.blocked(key, NOW) is None
        assert child.wait() == 0
    os.close(reading)
    os.close(writing)


def test_a_locked_file_is_an_error_soon_and_passes(path: Path) -> None:
    now = [0.0]
    with opened(SqliteState(path, clock=lambda: now[0])) as state:
        state.reserve("key", 2, "a", NOW, UNTIL)

        def lock(tell: Tell) -> None:
            with closing(sqlite3.connect(path, isolation_level=None)) as db:
                db.execute("BEGIN EXCLUSIVE")
                tell("locked")
                os.read(reading, 1)

        reading, writing = os.pipe()
        with Child(lock) as child:
            assert child.line() == "locked"
            for verb in (
                lambda: state.reserve("key", 2, "b", NOW, UNTIL),
                lambda: state.commit("a", NOW),
                lambda: state.release("a"),
                lambda: state.prune(NOW),
                lambda: state.count("key", 600, 20, NOW),
                lambda: state.forget("key"),
                lambda: state.first_seen("key", NOW, UNTIL),
                lambda: state.block("key", NOW, UNTIL, "why"),
                lambda: state.unblock("key"),
            ):
                started = time.monotonic()
                with pytest.raises(StateError, match=r"state\.db: database is locked"):
                    verb()
                # Much longer than it takes, for a busy machine.
                assert BUSY_MILLISECONDS / 2000 < time.monotonic() - started < 5
                now[0] += IMPATIENT_SECONDS
            assert state.places("key", NOW) == (0, 1)
            assert state.peek("key", 1, "b", NOW).slot == "pending"
            assert (state.tally("key", 600, NOW), state.blocked("key", NOW)) == (0, None)
            os.write(writing, b"\n")
            assert child.wait() == 0
        os.close(reading)
        os.close(writing)
        assert state.commit("a", NOW) == "committed"


def test_after_one_wait_in_vain_a_locked_file_is_an_error_at_once(path: Path) -> None:
    """Whether a verb would wait is what SQLite itself says: `PRAGMA busy_timeout`."""
    now = [0.0]
    with closing(SqliteState(path, clock=lambda: now[0])) as state, closing(sqlite3.connect(path)) as other:

        def waits() -> int:
            return int(state._file._db.execute("PRAGMA busy_timeout").fetchone()[0])

        def refused() -> None:
            with pytest.raises(StateError, match="database is locked"):
                state.reserve("key", 1, "a", NOW, UNTIL)

        assert waits() == BUSY_MILLISECONDS
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        for _ in range(100):
            refused()
        assert time.monotonic() - started < 100 * BUSY_MILLISECONDS / 2000
        assert waits() == 0
        now[0] = IMPATIENT_SECONDS
        started = time.monotonic()
        refused()
        assert time.monotonic() - started > BUSY_MILLISECONDS / 2000
        assert waits() == 0
        other.rollback()
        assert state.reserve("key", 1, "a", NOW, UNTIL).slot == "reserved"
        assert waits() == BUSY_MILLISECONDS
