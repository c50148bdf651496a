"""The first complaint is told, then one a minute with the number of those kept back."""

from __future__ import annotations

from eximacl.system.throttle import REPEAT_SECONDS, Throttle


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


def test_after_reset_the_next_is_told_at_once() -> None:
    quiet = Throttle(Clock())
    assert quiet.due() == 0
    assert quiet.due() is None
    quiet.reset()
    assert quiet.due() == 0
