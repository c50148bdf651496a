"""References: short, readable, increasing, and each tells when it was made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.records.references import EPOCH, LENGTH, UNITS_PER_SECOND, References, normalise, time_of

NOW = 1_800_000_000.0
CYCLE_SECONDS = (1 << 40) / UNITS_PER_SECOND


@pytest.mark.parametrize(
    ("now", "ref"),
    [
        (EPOCH, "00000000"),
        (EPOCH + 0.00015, "00000001"),
        (EPOCH + 3.2, "00000Z80"),
        (EPOCH + CYCLE_SECONDS, "00000000"),
    ],
)
def test_is_the_time_in_base_32(now: float, ref: str) -> None:
    assert References().next(now) == ref
    assert len(ref) == LENGTH


@given(st.lists(st.floats(NOW, NOW + 500), max_size=50))
def test_increase_whatever_the_clock_does(times: list[float]) -> None:
    references = References()
    made = [references.next(now) for now in times]
    assert made == sorted(set(made))


def test_many_at_one_moment_all_differ() -> None:
    references = References()
    made = [references.next(NOW) for _ in range(5000)]
    assert made == sorted(set(made))
    assert abs(time_of(made[-1], NOW) - NOW) < 1


@given(age=st.floats(0, CYCLE_SECONDS - 100_000))
def test_tells_its_time_until_it_wraps(age: float) -> None:
    ref = References().next(NOW)
    assert abs(time_of(ref, NOW + age) - NOW) <= 1 / UNITS_PER_SECOND


def test_of_a_clock_ahead_of_ours_still_tells_its_time() -> None:
    assert abs(time_of(References().next(NOW + 3600), NOW) - NOW - 3600) <= 1 / UNITS_PER_SECOND


@pytest.mark.parametrize(
    "typed", ["7KQ2M0D1", "7kq2m0d1", "7KQ2 MOD1", "7kq2-moDl", " 7kq2modI ", "ref=7KQ2M0D1", " (ref=7kq2m0d1)\n"]
)
def test_is_read_as_people_type_it(typed: str) -> None:
    assert normalise(typed) == "7KQ2M0D1"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "one has 8 letters and digits, like 7KQ2M9D4"),
        ("7KQ2M0D", "one has 8 letters and digits, like 7KQ2M9D4"),
        ("7KQ2M0D11", "one has 8 letters and digits, like 7KQ2M9D4"),
        ("7kq2m0du", "'U' is never in one"),
        ("7KQ2M0D!", "'!' is never in one"),
        ("７KQ2M0D1", "'７' is never in one"),
        ("../etc/x", "'.' is never in one"),
    ],
)
def test_what_is_no_reference_is_refused(typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"is not a reference: {why}$"):
        normalise(typed)
