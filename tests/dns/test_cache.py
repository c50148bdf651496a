"""The cache: bounds, lifetimes, and who goes first."""

from __future__ import annotations

import pytest

from eximacl.dns.cache import (
    NEGATIVE_SECONDS_MAX,
    TTL_SECONDS_MAX,
    TTL_SECONDS_MIN,
    UNKNOWN_SECONDS,
    Answer,
    Cache,
)
from eximacl.model import Unknown

FOUND = ("192.0.2.1",)

KEPT: dict[str, tuple[Answer, int, int]] = {
    "found": (FOUND, 60, 60),
    "found, no TTL": (FOUND, 0, TTL_SECONDS_MIN),
    "found, for years": (FOUND, 2**31 - 1, TTL_SECONDS_MAX),
    "absent": ((), 60, 60),
    "absent, nothing says for how long": ((), 0, TTL_SECONDS_MIN),
    "absent, for a day": ((), 86_400, NEGATIVE_SECONDS_MAX),
    "unknown": (Unknown("why"), 60, UNKNOWN_SECONDS),
}


@pytest.mark.parametrize("row", KEPT)
def test_answers_are_kept_within_bounds(row: str) -> None:
    answer, seconds, kept = KEPT[row]
    cache = Cache(10)
    cache.put(("x", "A"), answer, seconds, 100.0)
    assert cache.get(("x", "A"), 100.0 + kept - 0.01) == answer
    assert cache.get(("x", "A"), 100.0 + kept) is None
    assert len(cache) == 0


def test_what_was_looked_up_longest_ago_goes_first() -> None:
    cache = Cache(2)
    for name in ("a", "b"):
        cache.put((name, "A"), FOUND, 60, 0.0)
    assert cache.get(("a", "A"), 1.0)
    cache.put(("c", "A"), FOUND, 60, 2.0)
    assert [name for name in "abc" if cache.get((name, "A"), 3.0)] == ["a", "c"]
    cache.put(("a", "A"), (), 60, 3.0)
    assert len(cache) == 2
    assert cache.get(("a", "A"), 4.0) == ()
    assert cache.get(("a", "MX"), 4.0) is None
