"""The cache: bounds, lifetimes, and which entry goes first."""

from __future__ import annotations

import tracemalloc

import pytest

from eximacl.dns.cache import (
    ENTRY_BYTES,
    NEGATIVE_SECONDS_MAX,
    TTL_SECONDS_MAX,
    TTL_SECONDS_MIN,
    UNKNOWN_SECONDS,
    Cache,
    Resolved,
)
from eximacl.policy.outcome import Unknown

FOUND = ("192.0.2.1",)

KEPT: dict[str, tuple[Resolved, int, int]] = {
    "found": (FOUND, 60, 60),
    "found, no TTL": (FOUND, 0, TTL_SECONDS_MIN),
    "found, for years": (FOUND, 2**31 - 1, TTL_SECONDS_MAX),
    "absent": ((), 60, 60),
    "absent, without a TTL": ((), 0, TTL_SECONDS_MIN),
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


def test_what_is_dropped_is_asked_for_again() -> None:
    cache = Cache(2)
    cache.put(("a", "A"), FOUND, 60, 0.0)
    for _ in range(2):
        cache.drop(("a", "A"))
    assert (len(cache), cache.get(("a", "A"), 1.0)) == (0, None)


HUNDRED = tuple(f"{number} {'x' * 80}" for number in range(100))
STUFFED: dict[str, Resolved] = {
    "many records": HUNDRED,
    "a long record": ("x" * 8_192,),
    "wide characters": ("\U0001f4a9" * 8_192,),
    "many short ones": tuple(f"{number}" for number in range(100)),
    "honest": FOUND,
    "none": (),
    "unknown": Unknown("x" * 400),
}


@pytest.mark.parametrize("row", STUFFED)
def test_no_answer_makes_it_larger_than_it_may_be(row: str) -> None:
    """Each answer is a separate copy, as from DNS; the memory that they take is measured."""
    stuffed = STUFFED[row]
    tracemalloc.start()
    try:
        cache = Cache(1000)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(3000):
            copy = Unknown(stuffed.detail[:-1] + "y") if isinstance(stuffed, Unknown) else tuple(map(_copy, stuffed))
            cache.put((f"{number:040}.example.org", "MX"), copy, 60, 0.0)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken < 1000 * ENTRY_BYTES * 1.25
    assert cache.get((f"{2999:040}.example.org", "MX"), 1.0) == copy
    assert len(cache) == 1000 or row not in ("honest", "none")


def _copy(text: str) -> str:
    return "".join([text[:1], text[1:]])
