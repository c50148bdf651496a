"""One machine of each kind for all tests; after each it is put back as it was, with the Exim that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from eximacl.exim import Exim, EximConfig, find_place
from tests.doctor.world import World
from tests.exim.machine import Kept, machine
from tests.needs import needs

CONF = "dc_eximconfig_configtype='internet'\ndc_use_split_config='{split}'\n"
Machines = Callable[[str], Kept]


@pytest.fixture(scope="package")
def machines() -> Iterator[Machines]:
    made: dict[str, Kept] = {}
    with ExitStack() as stack:

        def of_kind(kind: str) -> Kept:
            if kind not in made:
                made[kind] = Kept(stack.enter_context(machine("split" if kind == "split" else "unsplit")))
            return made[kind]

        yield of_kind


@pytest.fixture
def split(machines: Machines) -> Iterator[World]:
    """A machine with Debian's configuration in many files, and no eximacl in it."""
    kept = machines("split")
    yield kept.world
    kept.put_back()


@pytest.fixture
def unsplit(machines: Machines) -> Iterator[World]:
    """A machine with Debian's configuration in one file, and no eximacl in it."""
    kept = machines("unsplit")
    yield kept.world
    kept.put_back()


@pytest.fixture(params=["split", "unsplit"])
def bare(request: pytest.FixtureRequest, machines: Machines) -> Iterator[World]:
    """Either machine."""
    kept = machines(request.param)
    yield kept.world
    kept.put_back()


@pytest.fixture
def place(tmp_path: Path) -> EximConfig:
    """A directory with as much of an unsplit configuration as a plan reads; no Exim's."""
    (tmp_path / "update-exim4.conf.conf").write_text(CONF.format(split="false"))
    (tmp_path / "exim4.conf.template").write_text("begin routers\nr:\n  driver = accept\n")
    return find_place(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Callable[[str], Exim]:
    """Exim with a configuration of a few lines."""

    def made(text: str) -> Exim:
        path = tmp_path / "exim.conf"
        path.write_text(f"keep_environment =\n{text}")
        return installed(path)

    return made


@needs("needs_exim")
def installed(config: Path) -> Exim:
    """The real program, with that configuration."""
    return Exim(config=config)
