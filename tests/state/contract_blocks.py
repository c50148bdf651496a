"""What every backend must do with blocks: block, unblock, blocked, blocks."""

from __future__ import annotations

import math

import pytest

from eximacl.policy.state import BLOCKS_MAX, CLOCK_SLACK_SECONDS, PRUNE_ROWS, Block
from tests.state.contract import CENTURY, HOSTILE, NOW, UNTIL, Family, Now, opened


class BlocksContract(Family):
    """See `State`."""

    def test_a_block_stands_until_its_end(self, state: Now) -> None:
        state.block("key", NOW, UNTIL, "a storm")
        assert state.blocked("key", NOW) == Block("key", NOW, UNTIL, "a storm")
        assert state.blocked("key", UNTIL - 1) == Block("key", NOW, UNTIL, "a storm")
        assert state.blocked("key", UNTIL) is None
        assert state.blocked("other", NOW) is None

    @pytest.mark.parametrize(("until", "then"), [(UNTIL + 9, UNTIL + 9), (UNTIL - 9, UNTIL), (math.inf, math.inf)])
    def test_blocking_again_keeps_since_and_why_and_the_later_end(self, state: Now, until: float, then: float) -> None:
        state.block("key", NOW, UNTIL, "a storm")
        state.block("key", NOW + 5, until, "another")
        assert state.blocked("key", NOW + 5) == Block("key", NOW, then, "a storm")

    def test_a_block_for_ever_is_not_shortened(self, state: Now) -> None:
        state.block("key", NOW, math.inf, "by hand")
        state.block("key", NOW + 1, UNTIL, "a storm")
        assert state.blocked("key", NOW + 10 * CENTURY) == Block("key", NOW, math.inf, "by hand")

    def test_a_new_block_after_the_end_begins_anew(self, state: Now) -> None:
        state.block("key", NOW, UNTIL, "a storm")
        state.block("key", UNTIL, UNTIL + 10, "another")
        assert state.blocked("key", UNTIL) == Block("key", UNTIL, UNTIL + 10, "another")

    def test_a_block_that_is_over_at_once(self, state: Now) -> None:
        state.block("key", NOW, NOW, "nothing")
        assert (state.blocked("key", NOW), state.blocks(NOW)) == (None, ())

    def test_unblock_ends_a_block(self, state: Now) -> None:
        assert not state.unblock("key")
        state.block("key", NOW, UNTIL, "a storm")
        assert state.unblock("key")
        assert (state.blocked("key", NOW), state.unblock("key")) == (None, False)
        state.block("key", NOW + 1, UNTIL, "another")
        assert state.blocked("key", NOW + 1) == Block("key", NOW + 1, UNTIL, "another")

    def test_unblock_finds_one_that_is_over(self, state: Now) -> None:
        state.block("key", NOW, UNTIL, "a storm")
        assert state.blocked("key", UNTIL) is None
        assert state.unblock("key")

    def test_all_that_stand_in_order_of_their_keys(self, state: Now) -> None:
        keys = ["b", "a", "", "\uffff", "\ud800", "\U0001f600", "A", "ä", "over"]
        for key in keys:
            state.block(key, NOW, UNTIL if key == "over" else UNTIL + 1, key)
        assert state.blocks(UNTIL) == tuple(Block(key, NOW, UNTIL + 1, key) for key in sorted(keys) if key != "over")
        assert state.blocks(UNTIL + 1) == ()

    def test_some_that_stand_after_a_key(self, state: Now) -> None:
        keys = sorted(["", "\0", "a", "a\0", "a\0b", "aa", "b", "ä", "\ud800", "\U0001f600"])
        for key in keys:
            state.block(key, NOW, UNTIL, "why")
        state.block("a\1", NOW, NOW, "over")
        assert [block.key for block in state.blocks(NOW, None, 3)] == keys[:3]
        for number, key in enumerate(keys):
            assert [block.key for block in state.blocks(NOW, key, 2)] == keys[number + 1 : number + 3]
        assert state.blocks(NOW, "aaa", 1) == (Block("b", NOW, UNTIL, "why"),)

    def test_one_call_returns_a_bounded_number(self, state: Now) -> None:
        for number in range(BLOCKS_MAX + 5):
            state.block(f"{number:05}", NOW, UNTIL, "why")
        first = state.blocks(NOW)
        assert (len(first), len(state.blocks(NOW, first[-1].key))) == (BLOCKS_MAX, 5)

    def test_a_block_within_the_slack_stands(self, state: Now) -> None:
        state.block("key", NOW + CLOCK_SLACK_SECONDS, UNTIL, "a storm")
        assert state.blocked("key", NOW) is not None

    @pytest.mark.parametrize("ahead", [CLOCK_SLACK_SECONDS + 1, 86400.0, CENTURY])
    def test_what_a_clock_ahead_has_blocked_does_not_stand(self, state: Now, ahead: float) -> None:
        state.block("key", NOW + ahead, NOW + ahead + 3600, "a storm")
        assert (state.blocked("key", NOW), state.blocks(NOW)) == (None, ())
        state.block("key", NOW, UNTIL, "another")
        assert state.blocks(NOW) == (Block("key", NOW, UNTIL, "another"),)

    @pytest.mark.parametrize("wrong", [-CENTURY, 0.0, NOW - CENTURY])
    def test_a_block_for_ever_stands_whatever_the_clock_says(self, state: Now, wrong: float) -> None:
        made = Block("key", NOW, math.inf, "by hand")
        state.block(*made)
        state.block("key", wrong, wrong + 5, "a storm")
        assert (state.blocked("key", wrong), state.blocks(wrong)) == (made, (made,))
        assert state.blocked("key", NOW) == made

    def test_what_is_over_is_pruned_and_nothing_else(self, state: Now) -> None:
        for key, until in (("early", UNTIL), ("late", UNTIL + 1), ("ever", math.inf), ("gone", UNTIL)):
            state.block(key, NOW, until, "why")
        state.unblock("gone")
        assert [state.prune(UNTIL + second) for second in (-1, 0, 0, 1, CENTURY)] == [0, 1, 0, 1, 0]
        assert [block.key for block in state.blocks(NOW)] == ["ever"]

    def test_what_was_extended_is_pruned_after_its_new_end(self, state: Now) -> None:
        state.block("key", NOW, UNTIL, "why")
        state.block("key", NOW, UNTIL + 10, "why")
        assert [state.prune(UNTIL + second) for second in (0, 9, 10)] == [0, 0, 1]

    def test_one_prune_of_blocks_is_bounded(self, state: Now) -> None:
        for number in range(PRUNE_ROWS + 5):
            state.block(str(number), NOW, UNTIL, "why")
        assert [state.prune(UNTIL) for _ in range(3)] == [PRUNE_ROWS, 5, 0]

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_any_text_is_a_key_and_a_reason(self, state: Now, text: str) -> None:
        state.block(text, NOW, UNTIL, text)
        assert state.blocks(NOW) == (Block(text, NOW, UNTIL, text),)
        assert state.blocked(text, NOW) == Block(text, NOW, UNTIL, text)
        assert state.blocked(text + "x", NOW) is None
        assert state.unblock(text)

    def test_a_block_is_there_for_others_at_once_and_after_reopening(self) -> None:
        with opened(self.open()) as first, opened(self.open()) as second:
            assert second.blocked("key", NOW) is None
            first.block("key", NOW, UNTIL, "a storm")
            assert second.blocked("key", NOW) is not None
            second.unblock("key")
            assert first.blocked("key", NOW) is None
            first.block("key", NOW, UNTIL, "another")
        with opened(self.open()) as third:
            assert third.blocks(NOW) == (Block("key", NOW, UNTIL, "another"),)
