"""One working set-up for all tests; each that breaks it mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.doctor.world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with World() as working:
        # What a machine has after its first message: the spool's directories.
        working.run("exim4", "-odq", "postmaster@example.org", text="Subject: first\n\ntext\n")
        yield working


@pytest.fixture(scope="session")
def sound(world: World) -> Callable[[str], set[str]]:
    """The levels of what one diagnosis finds where nothing is broken."""
    found = world.doctor()
    return lambda name: {each["level"] for each in found if each["diagnosis"] == name}
