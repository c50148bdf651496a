"""The first complaint is logged, then one a minute with the number of those kept back."""

from __future__ import annotations

import logging

import pytest

from eximacl.system.throttle import REPEAT_SECONDS, Complaints, Throttle


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_one_a_minute_with_a_count() -> None:
    clock = Clock()
    quiet = Throttle(clock)
    assert quiet.due() == 0
    assert [quiet.due() for _ in range(3)] == [None] * 3
    clock.now += REPEAT_SECONDS - 0.1
    assert quiet.due() is None
    clock.now += 0.1
    assert quiet.due() == 4
    assert quiet.due() is None


def test_after_a_reset_the_next_is_due_at_once() -> None:
    quiet = Throttle(Clock())
    assert quiet.due() == 0
    assert quiet.due() is None
    quiet.reset()
    assert quiet.due() == 0


def test_each_kind_of_error_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    complaints = Complaints(logging.getLogger("eximacl"), clock)
    for _ in range(3):
        complaints.error("disk", "the disk is full")
        complaints.error("net", "the net is down", ValueError("x"))
    clock.now += REPEAT_SECONDS
    complaints.error("disk", "the disk is full")
    assert [record.getMessage() for record in caplog.records] == [
        "the disk is full",
        "the net is down",
        "the disk is full (2 more since the last such message)",
    ]
    assert [bool(record.exc_info) for record in caplog.records] == [False, True, False]
