"""The events of a sliding window, without a backend."""

from __future__ import annotations

from array import array

import pytest

from eximacl.policy.state import CLOCK_SLACK_SECONDS, EVENTS_MAX
from eximacl.state.events import expiry, noted, recent


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([90.0], [], id="at the window's edge"),
        pytest.param([90.5, 95.0, 100.0], [90.5, 95.0, 100.0], id="in the window"),
        pytest.param([1.0, 90.0, 95.0], [95.0], id="some before it"),
        pytest.param([95.0, 100.0 + CLOCK_SLACK_SECONDS], [95.0, 100.0 + CLOCK_SLACK_SECONDS], id="in the slack"),
        pytest.param([95.0, 101.0 + CLOCK_SLACK_SECONDS], [95.0], id="of a clock ahead"),
    ],
)
def test_recent(events: list[float], expected: list[float]) -> None:
    assert recent(array("d", events), 10, 100).tolist() == expected
    assert noted(array("d", events), 10, 9, 100).tolist() == sorted([*expected, 100])


def test_noting_changes_nothing_it_was_given() -> None:
    events = array("d", [95])
    noted(events, 10, 9, 100)
    assert events.tolist() == [95]


def test_the_newest_are_kept() -> None:
    assert noted(array("d", [95, 96, 104]), 10, 2, 100).tolist() == [100, 104]


@pytest.mark.parametrize("most", [0, EVENTS_MAX + 1])
def test_how_many_can_be_kept(most: int) -> None:
    with pytest.raises(ValueError, match="a window remembers 1 to"):
        noted(array("d"), 10, most, 100)


@pytest.mark.parametrize(
    ("last", "until", "expected"),
    [
        pytest.param(100, None, 120, id="a new window"),
        pytest.param(105, 120, 120, id="settled before"),
        pytest.param(110, 120, 120, id="just long enough"),
        pytest.param(111, 120, 131, id="put off"),
        pytest.param(100, 120, 120, id="just short enough"),
        pytest.param(99, 120, 119, id="brought forward"),
    ],
)
def test_the_end_of_a_window(last: float, until: float | None, expected: float) -> None:
    assert expiry(last, 10, until) == expected
