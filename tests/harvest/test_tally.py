"""Counting and merging: in any order the same."""

from __future__ import annotations

from eximacl.harvest.tally import EXAMPLES_MAX, AddressCount, Tally


def test_merging_in_any_order() -> None:
    parts = [Tally(messages=1) for _ in range(3)]
    for k, part in enumerate(parts):
        part.add(("a@x.org", f"{k}@x.org"), 100 + k)
    for order in (parts, parts[::-1]):
        whole = Tally()
        for part in order:
            whole.merge(part)
        assert whole.messages == 3
        assert whole.seen["a@x.org"] == AddressCount(3, 100, 102)
        assert whole.seen["1@x.org"] == AddressCount(1, 101, 101)


def test_troubles_keep_the_first_names_and_all_numbers() -> None:
    whole, part = Tally(), Tally()
    for k in range(EXAMPLES_MAX + 3):
        part.troubles.add("broken", str(k), "why")
    part.troubles.add("unreadable", "d", "why", 7)
    whole.merge(part)
    whole.merge(part)
    assert (whole.troubles["broken"], whole.troubles["unreadable"], whole.troubles["vanished"]) == (16, 14, 0)
    assert [name for name, _ in whole.troubles.examples["broken"]] == [str(k) for k in range(EXAMPLES_MAX)]
