"""What every backend must do with places: reserve, peek, commit, release, places."""

from __future__ import annotations

import threading

import pytest

from eximacl.policy.state import FARTHEST_SECONDS, LOST_SECONDS, PRUNE_ROWS, StateError
from tests.state.contract import CENTURY, HOSTILE, LATER, NOW, UNTIL, Family, Now, opened


class PlacesContract(Family):
    """See `State`."""

    def test_reserving_again_keeps_the_first_place(self, state: Now) -> None:
        assert state.reserve("key", 2, "a", NOW, UNTIL).slot == "reserved"
        assert state.reserve("key", 2, "a", NOW, UNTIL + 1000).slot == "reserved"
        assert state.places("key", NOW) == (0, 1)
        assert state.places("key", LATER) == (0, 0)

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_no_more_places_than_the_limit(self, state: Now, limit: int) -> None:
        answers = [state.reserve("key", limit, f"holder {n}", NOW, UNTIL).slot for n in range(limit + 2)]
        assert answers == ["reserved"] * limit + ["pending"] * 2
        assert state.places("key", NOW) == (0, limit)

    def test_full_once_all_places_are_committed(self, state: Now) -> None:
        for holder in "ab":
            state.reserve("key", 2, holder, NOW, UNTIL)
        state.commit("a", NOW)
        assert state.reserve("key", 2, "c", NOW, UNTIL).slot == "pending"
        state.commit("b", NOW)
        assert state.reserve("key", 2, "c", NOW, UNTIL).slot == "full"
        assert state.places("key", NOW) == (2, 0)

    def test_a_limit_of_nothing_is_full(self, state: Now) -> None:
        assert state.reserve("key", 0, "a", NOW, UNTIL).slot == "full"

    def test_a_committed_holder_still_has_its_place(self, state: Now) -> None:
        state.reserve("key", 1, "a", NOW, UNTIL)
        state.commit("a", NOW)
        assert state.reserve("key", 1, "a", LATER, LATER + 1).slot == "reserved"
        assert state.places("key", LATER) == (1, 0)

    def test_keys_and_holders_do_not_mix(self, state: Now) -> None:
        assert state.reserve("key", 1, "a", NOW, UNTIL).slot == "reserved"
        assert state.reserve("other", 1, "a", NOW, UNTIL).slot == "reserved"
        assert state.reserve("Key", 1, "b", NOW, UNTIL).slot == "reserved"
        assert state.release("b") == 1
        assert (state.places("key", NOW), state.places("Key", NOW)) == ((0, 1), (0, 0))

    def test_an_expired_reservation_makes_room(self, state: Now) -> None:
        state.reserve("key", 1, "a", NOW, UNTIL)
        assert state.reserve("key", 1, "b", UNTIL - 1, LATER).slot == "pending"
        assert state.reserve("key", 1, "b", UNTIL, LATER).slot == "reserved"
        assert state.reserve("key", 1, "a", UNTIL, LATER).slot == "pending"

    def test_a_holder_may_reserve_again_after_expiry(self, state: Now) -> None:
        state.reserve("key", 1, "a", NOW, UNTIL)
        assert state.reserve("key", 1, "a", LATER, LATER + 10).slot == "reserved"
        assert state.places("key", LATER) == (0, 1)
        assert state.commit("a", LATER + 1) == "committed"

    def test_commit_is_for_ever_and_may_be_repeated(self, state: Now) -> None:
        state.reserve("key", 1, "a", NOW, UNTIL)
        assert state.commit("a", UNTIL - 1) == "committed"
        assert state.commit("a", LATER) == "committed"
        for wrong in (NOW + CENTURY, NOW + 10 * CENTURY, 0.0, NOW):
            state.prune(wrong)
            assert state.places("key", wrong) == (1, 0)
            assert state.reserve("key", 1, "b", wrong, wrong + 1).slot == "full"

    def test_commit_takes_all_keys_of_the_holder(self, state: Now) -> None:
        for key in ("one", "two"):
            state.reserve(key, 1, "a", NOW, UNTIL)
        assert state.commit("a", NOW) == "committed"
        assert [state.places(key, LATER) for key in ("one", "two")] == [(1, 0), (1, 0)]

    def test_commit_after_a_commit_takes_the_new_place_too(self, state: Now) -> None:
        state.reserve("one", 1, "a", NOW, UNTIL)
        state.commit("a", NOW)
        state.reserve("two", 1, "a", NOW, UNTIL)
        assert state.commit("a", NOW) == "committed"
        assert state.places("two", LATER) == (1, 0)

    def test_commit_without_a_place_is_lost(self, state: Now) -> None:
        assert state.commit("nobody", NOW) == "lost"
        state.reserve("key", 1, "a", NOW, UNTIL)
        state.release("a")
        assert state.commit("a", NOW) == "lost"

    def test_commit_after_expiry_is_lost(self, state: Now) -> None:
        state.reserve("key", 1, "a", NOW, UNTIL)
        assert state.commit("a", UNTIL) == "lost"
        assert state.places("key", UNTIL) == (0, 0)

    def test_one_expired_place_of_several_loses_all(self, state: Now) -> None:
        state.reserve("one", 1, "a", NOW, UNTIL)
        state.reserve("two", 1, "a", NOW, UNTIL + 100)
        assert state.commit("a", LATER) == "lost"
        assert (state.places("one", LATER), state.places("two", LATER)) == ((0, 0), (0, 1))

    def test_pruning_does_not_make_a_lost_place_forgotten(self, state: Now) -> None:
        state.reserve("one", 1, "a", NOW, UNTIL)
        state.reserve("two", 1, "a", NOW, UNTIL + 100)
        state.prune(LATER)
        assert state.commit("a", LATER) == "lost"

    def test_release_gives_back_reserved_and_committed_places(self, state: Now) -> None:
        state.reserve("one", 1, "a", NOW, UNTIL)
        state.commit("a", NOW)
        state.reserve("two", 1, "a", NOW, UNTIL)
        assert state.release("a") == 2
        assert state.release("a") == 0
        assert state.reserve("one", 1, "b", NOW, UNTIL).slot == "reserved"
        assert state.reserve("two", 1, "b", NOW, UNTIL).slot == "reserved"

    def test_peek_answers_as_reserve_would_and_changes_nothing(self, state: Now) -> None:
        assert state.peek("key", 1, "a", NOW).slot == "reserved"
        assert state.places("key", NOW) == (0, 0)
        state.reserve("key", 1, "a", NOW, UNTIL)
        assert (state.peek("key", 1, "a", NOW).slot, state.peek("key", 1, "b", NOW).slot) == ("reserved", "pending")
        state.commit("a", NOW)
        assert (state.peek("key", 1, "a", NOW).slot, state.peek("key", 1, "b", NOW).slot) == ("reserved", "full")
        assert state.commit("b", NOW) == "lost"

    def test_prune_deletes_what_is_long_expired_and_nothing_else(self, state: Now) -> None:
        for holder in ("released", "lost", "committed", "live"):
            state.reserve(holder, 1, holder, NOW, UNTIL)
        state.release("released")
        state.commit("committed", UNTIL - 1)
        then = UNTIL + LOST_SECONDS
        state.reserve("live", 1, "live", LATER, then + 1)
        assert state.prune(then - 1) == 1  # whose the committed one is
        assert state.prune(then) == 1
        assert state.prune(then) == 0
        assert [state.places(key, then) for key in ("lost", "committed", "live")] == [(0, 0), (1, 0), (0, 1)]

    def test_a_reservation_that_a_clock_ahead_has_made_blocks_nobody(self, state: Now) -> None:
        ahead = NOW + 86400
        state.reserve("key", 1, "a", ahead, ahead + 3600)
        assert state.places("key", ahead) == (0, 1)
        assert state.places("key", NOW) == (0, 0)
        assert state.peek("key", 1, "b", NOW).slot == "reserved"
        assert state.reserve("key", 1, "b", NOW, UNTIL).slot == "reserved"
        assert (state.commit("a", NOW), state.commit("b", NOW)) == ("lost", "committed")
        assert (state.commit("a", ahead), state.places("key", ahead)) == ("lost", (1, 0))
        assert state.prune(NOW + LOST_SECONDS) == 2

    def test_it_is_committed_when_nobody_else_has_taken_the_place(self, state: Now) -> None:
        ahead = NOW + 86400
        state.reserve("key", 1, "a", ahead, ahead + 3600)
        assert state.commit("a", NOW) == "committed"
        assert state.reserve("key", 1, "b", NOW, UNTIL).slot == "full"

    @pytest.mark.parametrize("wrong", [NOW + 86400, NOW - 86400])
    def test_a_place_that_was_given_away_does_not_come_back_with_the_clock(self, state: Now, wrong: float) -> None:
        state.reserve("key", 1, "a", NOW, UNTIL)
        assert state.reserve("key", 1, "b", wrong, wrong + 3600).slot == "reserved"
        assert state.commit("b", wrong) == "committed"
        assert state.commit("a", NOW + 1) == "lost"
        assert state.places("key", NOW + 1) == (1, 0)

    def test_a_query_that_took_its_time_earlier_sees_the_reservation(self, state: Now) -> None:
        latest = NOW + FARTHEST_SECONDS
        state.reserve("key", 1, "a", NOW, latest)
        assert state.reserve("key", 1, "b", NOW, UNTIL).slot == "pending"
        assert state.reserve("key", 1, "b", NOW - 1, UNTIL).slot == "reserved"

    def test_one_prune_does_a_bounded_amount_of_work(self, state: Now) -> None:
        for number in range(PRUNE_ROWS + 5):
            state.reserve("key", PRUNE_ROWS * 2, str(number), NOW, UNTIL)
        then = UNTIL + LOST_SECONDS
        assert [state.prune(then) for _ in range(3)] == [PRUNE_ROWS, 5, 0]

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_any_text_is_a_key_and_a_holder(self, state: Now, text: str) -> None:
        assert state.reserve(text, 1, text, NOW, UNTIL).slot == "reserved"
        assert state.reserve(text, 1, text + "x", NOW, UNTIL).slot == "pending"
        assert state.places(text + "x", NOW) == (0, 0)
        assert state.commit(text, NOW) == "committed"
        assert state.places(text, NOW) == (1, 0)

    @pytest.mark.parametrize("limit", [1, 5])
    def test_parallel_holders_get_exactly_the_places_there_are(self, limit: int) -> None:
        holders = limit + 7
        start = threading.Barrier(holders)
        answers: dict[str, str] = {}

        def deliver(holder: str) -> None:
            with opened(self.open()) as mine:
                start.wait()
                answer: str = "busy"
                while answer == "busy":
                    try:
                        answer = mine.reserve("key", limit, holder, NOW, UNTIL).slot
                    except StateError:  # the machine is slow, and the lock was held for longer than we may wait
                        continue
                answers[holder] = answer

        threads = [threading.Thread(target=deliver, args=(f"holder {n}",)) for n in range(holders)]
        with opened(self.open()) as state:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(answers.values()) == ["pending"] * 7 + ["reserved"] * limit
            assert state.places("key", NOW) == (0, limit)

    def test_what_is_written_is_there_for_others_and_after_reopening(self) -> None:
        with opened(self.open()) as first, opened(self.open()) as second:
            first.reserve("key", 2, "a", NOW, UNTIL)
            first.reserve("key", 2, "b", NOW, UNTIL)
            first.commit("a", NOW)
            assert second.places("key", NOW) == (1, 1)
        with opened(self.open()) as third:
            assert third.places("key", NOW) == (1, 1)
