"""What every state backend must do: all families of verbs, and what is pruned over all of them."""

from __future__ import annotations

import math

import pytest

from eximacl.policy.state import LOST_SECONDS, PRUNE_ROWS
from tests.state.contract import CENTURY, NOW, UNTIL, Now
from tests.state.contract_addresses import AddressesContract
from tests.state.contract_blocks import BlocksContract
from tests.state.contract_places import PlacesContract
from tests.state.contract_seen import SeenContract
from tests.state.contract_windows import WindowsContract


class Contract(PlacesContract, AddressesContract, WindowsContract, SeenContract, BlocksContract):
    """Run by each backend's test file with its own `make`."""

    def test_the_families_do_not_mix(self, state: Now) -> None:
        state.reserve("key", 1, "key", NOW, UNTIL)
        state.count("key", 60, 5, NOW)
        assert (state.seen("key", NOW), state.blocked("key", NOW)) == (None, None)
        state.first_seen("key", NOW, UNTIL)
        state.block("key", NOW, UNTIL, "why")
        assert state.unblock("key")
        assert state.release("key") == 1
        assert (state.tally("key", 60, NOW), state.seen("key", NOW)) == (1, NOW)

    def test_one_prune_does_a_bounded_amount_of_work_over_all_families(self, state: Now) -> None:
        each = PRUNE_ROWS // 4 + 10
        for number in range(each):
            state.reserve("key", each, str(number), NOW, UNTIL)
            state.count(str(number), 60, 5, NOW)
            state.first_seen(str(number), NOW, UNTIL)
            state.block(str(number), NOW, UNTIL, "why")
        then = UNTIL + LOST_SECONDS
        assert [state.prune(then) for _ in range(3)] == [PRUNE_ROWS, 40, 0]
        assert state.blocks(NOW) == ()

    @pytest.mark.parametrize("wrong", [-CENTURY, 0.0, NOW - CENTURY])
    def test_a_clock_set_back_prunes_nothing(self, state: Now, wrong: float) -> None:
        state.reserve("key", 1, "a", NOW, UNTIL)
        state.count("key", 60, 5, NOW)
        state.first_seen("key", NOW, UNTIL)
        state.block("key", NOW, UNTIL, "why")
        assert state.prune(wrong) == 0
        assert state.tally("key", 60, NOW) == 1
        assert state.seen("key", NOW) == NOW
        assert state.blocked("key", NOW) is not None

    def test_a_clock_ahead_by_centuries_leaves_what_is_for_ever(self, state: Now) -> None:
        state.reserve("key", 1, "a", NOW, UNTIL)
        state.commit("a", NOW)
        state.block("key", NOW, math.inf, "why")
        assert state.prune(NOW + 10 * CENTURY) == 1
        assert state.places("key", NOW) == (1, 0)
        assert state.blocked("key", NOW) is not None

    def test_close_twice(self) -> None:
        state = self.open()
        state.close()
        state.close()
