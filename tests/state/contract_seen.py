"""What every backend must do with first times: first_seen, seen, remember."""

from __future__ import annotations

import math

import pytest

from eximacl.policy.state import CLOCK_SLACK_SECONDS, PRUNE_ROWS, Sighting
from tests.state.contract import CENTURY, HOSTILE, LATER, NOW, UNTIL, Family, Now, opened


class SeenContract(Family):
    """See `State`."""

    def test_the_first_time_stays(self, state: Now) -> None:
        assert state.first_seen("key", NOW, UNTIL) == NOW
        assert state.first_seen("key", NOW + 10, UNTIL + 10) == NOW
        assert state.seen("key", UNTIL - 1) == NOW
        # The second call has not put its end off.
        assert state.seen("key", UNTIL) is None

    def test_sightings_are_in_order_page_by_page(self, state: Now) -> None:
        for key in ("b:2", "a:1", "b:\N{LATIN SMALL LETTER E WITH ACUTE}", "b:10", "b", "c:1", "b:1"):
            state.first_seen(key, NOW, UNTIL)
        keys = ["b:1", "b:10", "b:2", "b:\N{LATIN SMALL LETTER E WITH ACUTE}"]
        assert [one.key for one in state.sightings("b:", NOW)] == keys
        assert [one.key for one in state.sightings("b:", NOW, "b:10", 1)] == keys[2:3]
        assert [one.key for one in state.sightings("b:", NOW, "a", 1)] == keys[:1]
        assert state.sightings("a:", NOW) == (Sighting("a:1", NOW, UNTIL),)
        assert state.sightings("d:", NOW) == ()
        assert len(state.sightings("", NOW)) == 7

    def test_only_what_is_known_now_is_among_them(self, state: Now) -> None:
        state.first_seen("over", NOW, UNTIL)
        state.first_seen("stands", NOW, UNTIL + 1)
        state.first_seen("ahead", UNTIL + CLOCK_SLACK_SECONDS + 1, UNTIL + CLOCK_SLACK_SECONDS + 100)
        assert state.sightings("", UNTIL) == (Sighting("stands", NOW, UNTIL + 1),)

    def test_unsee(self, state: Now) -> None:
        state.first_seen("key", NOW, UNTIL)
        state.first_seen("other", NOW, UNTIL)
        assert (state.unsee("key"), state.unsee("key"), state.unsee("never")) == (True, False, False)
        assert (state.seen("key", NOW), state.seen("other", NOW)) == (None, NOW)
        assert state.first_seen("key", NOW + 5, UNTIL) == NOW + 5

    def test_seen_changes_nothing(self, state: Now) -> None:
        assert state.seen("key", NOW) is None
        assert state.first_seen("key", NOW + 5, UNTIL) == NOW + 5

    def test_what_was_forgotten_is_seen_for_the_first_time(self, state: Now) -> None:
        state.first_seen("key", NOW, UNTIL)
        assert state.first_seen("key", UNTIL - 1, LATER) == NOW
        assert state.first_seen("key", UNTIL, UNTIL + 100) == UNTIL
        assert state.seen("key", UNTIL + 99) == UNTIL

    def test_remember_puts_the_end_off(self, state: Now) -> None:
        state.first_seen("key", NOW, UNTIL)
        assert state.remember("key", NOW + 1, UNTIL + 1000)
        assert state.seen("key", UNTIL + 999) == NOW
        assert state.seen("key", UNTIL + 1000) is None

    def test_remember_never_brings_the_end_forward(self, state: Now) -> None:
        state.first_seen("key", NOW, UNTIL)
        assert state.remember("key", NOW, NOW + 1)
        assert state.seen("key", UNTIL - 1) == NOW

    def test_what_is_not_known_cannot_be_remembered(self, state: Now) -> None:
        assert not state.remember("key", NOW, UNTIL)
        assert state.seen("key", NOW) is None
        state.first_seen("key", NOW, UNTIL)
        assert state.remember("key", UNTIL - 1, UNTIL)
        assert not state.remember("key", UNTIL, UNTIL + 1000)
        assert state.seen("key", UNTIL) is None

    def test_for_ever(self, state: Now) -> None:
        state.first_seen("key", NOW, UNTIL)
        assert state.remember("key", NOW, math.inf)
        assert state.seen("key", NOW + 10 * CENTURY) == NOW
        assert state.prune(NOW + 10 * CENTURY) == 0

    def test_a_first_time_within_the_slack_is_one(self, state: Now) -> None:
        state.first_seen("key", NOW + CLOCK_SLACK_SECONDS, UNTIL)
        assert state.first_seen("key", NOW, UNTIL) == NOW + CLOCK_SLACK_SECONDS

    @pytest.mark.parametrize("ahead", [CLOCK_SLACK_SECONDS + 1, 86400.0, CENTURY])
    def test_what_a_clock_ahead_has_seen_is_taken_as_never_seen(self, state: Now, ahead: float) -> None:
        state.first_seen("key", NOW + ahead, NOW + ahead + 3600)
        assert state.seen("key", NOW) is None
        assert not state.remember("key", NOW, UNTIL)
        assert state.first_seen("key", NOW, UNTIL) == NOW
        assert state.seen("key", UNTIL) is None
        assert state.prune(UNTIL) == 1

    @pytest.mark.parametrize("wrong", [-CENTURY, 0.0, NOW - CENTURY])
    def test_a_clock_set_back_makes_it_seen_anew(self, state: Now, wrong: float) -> None:
        state.first_seen("key", NOW, UNTIL)
        assert state.seen("key", wrong) is None
        assert state.seen("key", NOW) == NOW
        assert state.first_seen("key", wrong, wrong + 3600) == wrong
        assert state.first_seen("key", NOW, UNTIL) == NOW

    def test_what_is_over_is_pruned_and_nothing_else(self, state: Now) -> None:
        state.first_seen("early", NOW, UNTIL)
        state.first_seen("late", NOW, UNTIL + 1)
        state.first_seen("kept", NOW, UNTIL)
        state.remember("kept", NOW, UNTIL + 2)
        assert [state.prune(UNTIL + second) for second in (-1, 0, 0, 1, 2, 3)] == [0, 1, 0, 1, 1, 0]

    def test_one_prune_of_first_times_is_bounded(self, state: Now) -> None:
        for number in range(PRUNE_ROWS + 5):
            state.first_seen(str(number), NOW, UNTIL)
        assert [state.prune(UNTIL) for _ in range(3)] == [PRUNE_ROWS, 5, 0]

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_any_text_can_be_seen(self, state: Now, text: str) -> None:
        assert [state.first_seen(text, NOW + second, UNTIL) for second in (0, 1)] == [NOW, NOW]
        assert state.remember(text, NOW, UNTIL)
        assert (state.seen(text, NOW), state.seen(text + "x", NOW)) == (NOW, None)

    def test_first_times_are_there_for_others_and_after_reopening(self) -> None:
        with opened(self.open()) as first, opened(self.open()) as second:
            first.first_seen("key", NOW, UNTIL)
            assert second.first_seen("key", NOW + 1, UNTIL) == NOW
            assert second.remember("key", NOW, LATER)
        with opened(self.open()) as third:
            assert third.seen("key", UNTIL) == NOW
