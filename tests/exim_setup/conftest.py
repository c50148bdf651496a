"""One machine of each kind for all tests that leave it as they found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doctor.world import World
from tests.exim_setup.machine import machine


@pytest.fixture(scope="package", params=["split", "unsplit"])
def both(request: pytest.FixtureRequest) -> Iterator[World]:
    with machine(request.param) as world:
        yield world


@pytest.fixture
def bare(both: World) -> Iterator[World]:
    """A machine without eximacl in its Exim, before and after."""
    yield both
    both.eximacl("exim", "remove", "--yes", "--purge")
    both.run("sh", "-c", "rm -rf /etc/exim4/eximacl /etc/exim4/eximacl-backups")
