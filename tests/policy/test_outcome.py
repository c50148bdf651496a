"""The words for what is found and decided."""

from __future__ import annotations

from eximacl.policy.outcome import ACTIONS, WORDS


def test_the_vocabulary() -> None:
    assert WORDS == ("accept", "defer", "reject", "hold")
    assert ACTIONS == ("reject", "drop", "defer", "hold", "observe", "off")
