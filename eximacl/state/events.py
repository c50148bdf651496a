"""The events of a sliding window. Both backends count with this, so they count alike.

Events are times in seconds since 1970, the oldest first.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right, insort

from eximacl.policy.state import CLOCK_SLACK_SECONDS, EVENTS_MAX


def recent(events: array[float], window: float, now: float) -> array[float]:
    """Return the events of the last `window` seconds; those noted by a clock ahead do not count."""
    return events[bisect_right(events, now - window) : bisect_right(events, now + CLOCK_SLACK_SECONDS)]


def noted(events: array[float], window: float, most: int, now: float) -> array[float]:
    """Return the `most` newest events of the last `window` seconds, and one now among them. Raises ValueError."""
    if not 1 <= most <= EVENTS_MAX:
        raise ValueError(f"most is {most}: a window remembers 1 to {EVENTS_MAX} events")
    kept = recent(events, window, now)
    insort(kept, now)
    return kept[-most:]


def expiry(last: float, window: float, until: float | None) -> float:
    """Return when a window with this last event may be deleted; `until` is what was settled before, if anything.

    A new time is two windows away, and is kept until less than one is left: so the index on it need not change with
    every event, which would add half the work again.
    """
    earliest = last + window
    if until is not None and earliest <= until <= earliest + window:
        return until
    return earliest + window
