"""Places in memory: nothing grows with the messages of an address. The rest is the contract (`test_memory.py`)."""

from __future__ import annotations

from eximacl.policy.places import NO_TERMS
from eximacl.policy.state import LOST_SECONDS
from eximacl.state.memory_places import MemoryPlaces
from tests.state.contract import NOW, UNTIL


def test_a_used_place_leaves_only_its_address() -> None:
    places = MemoryPlaces()
    for number in range(100):
        places.reserve("key", 1000, str(number), NOW, UNTIL, NO_TERMS)
        places.commit(str(number), NOW)
    assert places.prune(NOW + LOST_SECONDS, 1000) == 100
    assert (places.rows, places.holders, list(places.addresses)) == ({}, {}, ["key"])
    assert places.counts("key", NOW) == (100, 0)
