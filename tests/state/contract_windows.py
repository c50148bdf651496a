"""What every backend must do with sliding windows: count, tally, forget."""

from __future__ import annotations

import math
import random

import pytest

from eximacl.policy.state import CLOCK_SLACK_SECONDS, EVENTS_MAX, PRUNE_ROWS
from tests.state.contract import CENTURY, HOSTILE, NOW, Family, Now, opened

WINDOW = 600.0
YEAR = 365.25 * 86400


class WindowsContract(Family):
    """See `State`."""

    def test_each_event_counts_itself_and_those_before_it(self, state: Now) -> None:
        assert [state.count("key", WINDOW, 20, NOW + second) for second in range(5)] == [1, 2, 3, 4, 5]
        assert state.tally("key", WINDOW, NOW + 4) == 5

    def test_events_at_the_same_moment_are_all_counted(self, state: Now) -> None:
        assert [state.count("key", WINDOW, 20, NOW) for _ in range(3)] == [1, 2, 3]

    def test_tally_notes_nothing(self, state: Now) -> None:
        assert [state.tally("key", WINDOW, NOW) for _ in range(2)] == [0, 0]
        state.count("key", WINDOW, 20, NOW)
        assert [state.tally("key", WINDOW, NOW) for _ in range(2)] == [1, 1]

    def test_what_is_forgotten_counts_no_more(self, state: Now) -> None:
        for key in ("key", "key", "other"):
            state.count(key, WINDOW, 20, NOW)
        state.forget("key")
        assert [state.tally(key, WINDOW, NOW) for key in ("key", "other")] == [0, 1]
        assert state.count("key", WINDOW, 20, NOW) == 1
        assert state.prune(NOW + 2 * WINDOW) == 2

    def test_to_forget_what_was_never_counted_is_nothing(self, state: Now) -> None:
        state.forget("key")
        assert state.tally("key", WINDOW, NOW) == 0

    def test_the_window_slides(self, state: Now) -> None:
        for second in (0, 100, 200):
            state.count("key", WINDOW, 20, NOW + second)
        seen = [state.tally("key", WINDOW, NOW + second) for second in (599, 600, 699, 700, 799, 800)]
        assert seen == [3, 2, 2, 1, 1, 0]
        assert state.count("key", WINDOW, 20, NOW + 700) == 2

    def test_at_most_the_newest_are_remembered(self, state: Now) -> None:
        assert [state.count("key", WINDOW, 3, NOW + second) for second in range(5)] == [1, 2, 3, 3, 3]
        assert state.tally("key", WINDOW, NOW + 2 + WINDOW) == 2
        assert state.tally("key", WINDOW, NOW + 4 + WINDOW) == 0

    def test_most_may_change_from_call_to_call(self, state: Now) -> None:
        asked = [(5, 0), (5, 1), (5, 2), (2, 3), (5, 4), (5, 5), (1, 6), (5, 7)]
        assert [state.count("key", WINDOW, most, NOW + second) for most, second in asked] == [1, 2, 3, 2, 3, 4, 1, 2]

    def test_the_window_may_change_from_call_to_call(self, state: Now) -> None:
        for second in (0, 100, 200):
            state.count("key", WINDOW, 20, NOW + second)
        assert [state.tally("key", window, NOW + 200) for window in (1, 150, 600, YEAR)] == [1, 2, 3, 3]
        assert state.count("key", 150, 20, NOW + 200) == 3
        # What was out of a window when an event was noted is forgotten.
        assert state.count("key", WINDOW, 20, NOW + 200) == 4

    def test_a_longer_window_lets_the_row_live_longer(self, state: Now) -> None:
        state.count("key", 1, 20, NOW)
        state.count("key", WINDOW, 20, NOW)
        assert state.prune(NOW + WINDOW - 1) == 0
        assert state.tally("key", WINDOW, NOW + WINDOW - 1) == 2

    def test_a_shorter_window_lets_the_row_go_sooner(self, state: Now) -> None:
        state.count("key", YEAR, 20, NOW)
        state.count("key", 1, 20, NOW)
        assert state.prune(NOW + 2) == 1

    def test_a_window_for_ever(self, state: Now) -> None:
        state.count("key", math.inf, 20, NOW)
        assert state.count("key", math.inf, 20, NOW + CENTURY) == 2
        assert state.prune(NOW + 2 * CENTURY) == 0

    @pytest.mark.parametrize("most", [-1, 0, EVENTS_MAX + 1])
    def test_a_number_of_events_that_cannot_be_kept_is_refused(self, state: Now, most: int) -> None:
        state.count("key", WINDOW, 20, NOW)
        with pytest.raises(ValueError, match=rf"most is {most}: a window remembers 1 to {EVENTS_MAX} events"):
            state.count("key", WINDOW, most, NOW)
        assert state.count("key", WINDOW, 20, NOW) == 2

    def test_as_many_events_as_there_may_be(self, state: Now) -> None:
        for number in range(EVENTS_MAX // 100):
            state.count("key", WINDOW, EVENTS_MAX, NOW + number / 1000)
        assert state.count("key", WINDOW, EVENTS_MAX, NOW + 1) == EVENTS_MAX // 100 + 1

    def test_an_event_of_a_query_that_took_its_time(self, state: Now) -> None:
        state.count("key", WINDOW, 20, NOW + CLOCK_SLACK_SECONDS)
        assert state.tally("key", WINDOW, NOW) == 1
        assert state.count("key", WINDOW, 20, NOW) == 2
        assert state.tally("key", WINDOW, NOW + WINDOW) == 1
        assert state.count("key", WINDOW, 1, NOW) == 1
        assert state.tally("key", WINDOW, NOW + WINDOW) == 1

    @pytest.mark.parametrize("ahead", [CLOCK_SLACK_SECONDS + 1, 86400.0, CENTURY])
    def test_an_event_that_a_clock_ahead_has_noted_counts_no_more(self, state: Now, ahead: float) -> None:
        state.count("key", WINDOW, 20, NOW + ahead)
        assert state.tally("key", WINDOW, NOW) == 0
        assert [state.count("key", WINDOW, 20, NOW + second) for second in (0, 1)] == [1, 2]
        assert state.tally("key", WINDOW, NOW + ahead) == 0
        assert state.prune(NOW + 1 + 2 * WINDOW) == 1

    @pytest.mark.parametrize("wrong", [-CENTURY, 0.0, NOW - CENTURY, NOW + CENTURY])
    def test_a_clock_that_was_wrong_for_a_while(self, state: Now, wrong: float) -> None:
        state.count("key", WINDOW, 20, NOW)
        assert state.count("key", WINDOW, 20, wrong) == 1
        assert state.count("key", WINDOW, 20, NOW + 1) <= 2
        assert state.count("key", WINDOW, 20, NOW + 2) <= 3
        assert state.prune(NOW + 2 + 2 * WINDOW) == 1

    def test_a_window_is_pruned_when_it_is_over_and_not_before(self, state: Now) -> None:
        state.count("early", WINDOW, 20, NOW)
        state.count("late", WINDOW, 20, NOW)
        state.count("late", WINDOW, 20, NOW + 2 * WINDOW)
        assert state.prune(NOW + WINDOW - 1) == 0
        assert state.prune(NOW + 2 * WINDOW) == 1
        assert (state.tally("early", WINDOW, NOW), state.tally("late", WINDOW, NOW + 2 * WINDOW)) == (0, 1)
        assert state.prune(NOW + 4 * WINDOW) == 1
        assert state.prune(NOW + 4 * WINDOW) == 0

    def test_a_window_in_use_is_never_pruned(self, state: Now) -> None:
        for number in range(50):
            now = NOW + number * WINDOW / 2
            assert state.count("key", WINDOW, 20, now) == min(2, number + 1)
            assert state.prune(now) == 0

    def test_a_window_that_begins_anew_after_pruning(self, state: Now) -> None:
        state.count("key", WINDOW, 20, NOW)
        assert state.prune(NOW + 2 * WINDOW) == 1
        assert state.count("key", WINDOW, 20, NOW) == 1
        assert state.prune(NOW + 2 * WINDOW) == 1

    def test_one_prune_of_windows_is_bounded(self, state: Now) -> None:
        for number in range(PRUNE_ROWS + 5):
            state.count(str(number), WINDOW, 20, NOW)
        assert [state.prune(NOW + 2 * WINDOW) for _ in range(3)] == [PRUNE_ROWS, 5, 0]

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_any_text_is_a_window(self, state: Now, text: str) -> None:
        assert [state.count(text, WINDOW, 20, NOW) for _ in range(2)] == [1, 2]
        assert (state.tally(text, WINDOW, NOW), state.tally(text + "x", WINDOW, NOW)) == (2, 0)

    @pytest.mark.parametrize("seed", range(5))
    def test_it_counts_as_a_list_would(self, state: Now, seed: int) -> None:
        """With a clock that goes back and forth by less than the slack, and nothing forgotten."""
        dice, noted, now = random.Random(seed), list[float](), NOW
        for _ in range(100):
            now += dice.uniform(-50, 100)
            noted.append(now)
            # As much is kept as any later call can ask for.
            assert state.count("key", YEAR, 500, now) == len(noted)
            window = dice.uniform(1, 2 * WINDOW)
            assert state.tally("key", window, now) == sum(event > now - window for event in noted)

    def test_windows_are_there_for_others_and_after_reopening(self) -> None:
        with opened(self.open()) as first, opened(self.open()) as second:
            assert (first.count("key", WINDOW, 20, NOW), second.count("key", WINDOW, 20, NOW)) == (1, 2)
            assert first.tally("key", WINDOW, NOW) == 2
        with opened(self.open()) as third:
            assert third.count("key", WINDOW, 20, NOW) == 3
