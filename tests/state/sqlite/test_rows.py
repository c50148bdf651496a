"""However many keys a flood brings: a bound for each owner, which neither pushes out who is known nor refuses mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eximacl.policy.state import EVICTED_ROWS, State, StateError
from eximacl.state import MemoryState, SqliteState
from eximacl.state.sqlite.rows import RECOUNT_SECONDS

ROWS = 300
NOW = 1_800_000_000.0
LATER = NOW + 3600.0


class Clock:
    """A monotonic clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


Opened = SqliteState | MemoryState
Open = Callable[[Path], Opened]
BACKENDS: dict[str, Open] = {
    "sqlite": lambda path: SqliteState(path / "s.db", rows=ROWS),
    "memory": lambda _: MemoryState(ROWS),
}


@pytest.fixture(params=BACKENDS)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    opened = BACKENDS[request.param](tmp_path)
    yield opened
    opened.close()


def fill(state: Opened, owner: str = "greylist") -> None:
    for number in range(ROWS):
        state.first_seen(f"{owner}:{number}", NOW, LATER)


def test_at_the_bound_who_is_known_stays_and_what_is_new_is_unknown(state: Opened) -> None:
    fill(state)
    with pytest.raises(StateError, match=f"greylist has {ROWS} rows in the state, as many as state.rows allows"):
        state.first_seen("greylist:new", NOW, LATER)
    assert state.first_seen("greylist:0", NOW + 1, LATER) == NOW
    assert state.remember("greylist:0", NOW, LATER + 1)
    assert state.seen("greylist:new", NOW) is None


def test_where_the_caller_says_so_the_oldest_make_room(state: Opened) -> None:
    fill(state)
    for number in range(3 * ROWS):
        assert state.first_seen(f"waiting:{number}", NOW + number, LATER + number, True) == NOW + number
    kept = [number for number in range(3 * ROWS) if state.seen(f"waiting:{number}", NOW + 3 * ROWS) is not None]
    assert ROWS - EVICTED_ROWS <= len(kept) <= ROWS
    assert kept == list(range(kept[0], 3 * ROWS))
    assert all(state.seen(f"greylist:{number}", NOW) == NOW for number in range(ROWS))


def test_others_have_their_own_bound(state: Opened) -> None:
    fill(state)
    assert state.first_seen("known:boss@partner.example", NOW, LATER) == NOW
    assert state.count("greylist:0", 60.0, 3, NOW) == 1
    state.block("greylist:0", NOW, LATER, "why")


def test_there_is_room_again_once_the_old_have_expired(state: Opened) -> None:
    fill(state)
    while state.prune(LATER):
        pass
    assert state.first_seen("greylist:new", LATER, LATER + 1) == LATER


def test_of_counted_events_the_longest_unused_go(state: Opened) -> None:
    """A flood of senders switches no limit off: what is counted is in use."""
    for number in range(ROWS):
        state.count(f"rate:{number}", 60.0, 10, NOW + number)
    for number in range(3 * ROWS):
        now = NOW + ROWS + number
        assert state.count("rate:busy", 60.0 + ROWS * 4, 10_000, now) == number + 1
        state.count(f"rate:flood {number}", 60.0, 10, now)
    assert state.tally("rate:0", 10_000.0, now) == 0
    assert state.tally(f"rate:flood {3 * ROWS - 1}", 60.0, now) == 1
    kept = sum(state.tally(f"rate:flood {number}", 10_000.0, now) for number in range(3 * ROWS))
    assert ROWS - EVICTED_ROWS - 1 <= kept < ROWS


def test_blocks_are_never_pushed_out(state: Opened) -> None:
    for number in range(ROWS):
        state.block(f"bounces:{number}", NOW, LATER, "by the admin")
    with pytest.raises(StateError, match="bounces has"):
        state.block("bounces:new", NOW, LATER, "a storm")
    state.block("bounces:0", NOW, LATER + 5, "longer")
    assert (block := state.blocked("bounces:0", NOW)) is not None
    assert block.until == LATER + 5
    assert state.unblock("bounces:1")
    state.block("bounces:new", NOW, LATER, "a storm")


def test_what_is_forgotten_makes_room(state: Opened) -> None:
    for number in range(ROWS):
        state.count(f"storm:{number}", 60.0, 10, NOW + number)
    state.forget("storm:5")
    state.count("storm:new", 60.0, 10, NOW + ROWS)
    assert state.tally("storm:0", 10_000.0, NOW + ROWS) == 1  # nothing had to go


def test_a_file_is_counted_when_it_is_opened(tmp_path: Path) -> None:
    first = SqliteState(tmp_path / "s.db", rows=ROWS)
    fill(first)
    first.close()
    again = SqliteState(tmp_path / "s.db", rows=ROWS)
    with pytest.raises(StateError):
        again.first_seen("greylist:new", NOW, LATER)
    again.close()


def test_what_another_process_has_deleted_is_noticed_within_a_minute(tmp_path: Path) -> None:
    clock = Clock()
    mine = SqliteState(tmp_path / "s.db", clock=clock, rows=ROWS)
    fill(mine)
    for _ in range(2):
        with pytest.raises(StateError):
            mine.first_seen("greylist:new", NOW, LATER)
    other = SqliteState(tmp_path / "s.db", rows=ROWS)
    assert other.prune(LATER) == ROWS
    other.close()
    with pytest.raises(StateError):
        mine.first_seen("greylist:new", NOW, LATER)
    clock.now += RECOUNT_SECONDS
    assert mine.first_seen("greylist:new", NOW, LATER) == NOW
    mine.close()


def test_keys_that_are_not_utf_8_count_as_others_do(state: Opened) -> None:
    keys: State = state
    for number in range(ROWS):
        keys.first_seen(f"grey\udce9:{number}", NOW, LATER)
    with pytest.raises(StateError):
        state.first_seen("grey\udce9:new", NOW, LATER)
