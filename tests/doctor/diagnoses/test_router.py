"""Disposable addresses need their router, and first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.router import router
from eximacl.exim import Exim
from tests.doctor.breaks import lost, policy, setting
from tests.doctor.proof import Way, known, prove, told, wired
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "no router": Way(lost("conf.d/router/050_eximacl"), "warning", "no router eximacl_disposable"),
    "another separator": Way(
        policy("[checks.disposable]", '[checks.disposable]\nseparator = "-"'),
        "warning",
        "router does not know steve-1-count@example.org, which the policy reads",
    ),
    "a count may be left out": Way(
        policy("[checks.disposable]", "[checks.disposable]\ndefault_count = 3"),
        "warning",
        "router does not know steve.count@example.org",
    ),
    "an older pattern for dates": Way(
        setting(r"EXIMACL_PATTERN_DATED = \N^(.+)\.date\.[0-9]{2}-[0-9]{2}-[0-9]{4}$\N"),
        "warning",
        "router does not know steve.date.2027-12-31@example.org",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "router", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("router") == {"ok"}


ROUTERS = [
    (["eximacl_disposable", "own"], "ok", "are delivered"),
    (["own", "eximacl_disposable"], "warning", "the router own comes before"),
    (["eximacl_tagged", "eximacl_disposable", "own"], "ok", "are delivered"),
    (["own", "eximacl_tagged", "eximacl_disposable"], "warning", "the router own comes before"),
    (["eximacl_tagged", "own", "eximacl_disposable"], "warning", "the router own comes before"),
    (["own"], "warning", "no router"),
]


@pytest.mark.needs_exim
@pytest.mark.parametrize(("order", "level", "words"), ROUTERS)
def test_its_place(tmp_path: Path, order: list[str], level: str, words: str) -> None:
    config = tmp_path / "exim.conf"
    text = "".join(f"{name}:\n  driver = redirect\n  data = :blackhole:\n" for name in order)
    config.write_text(f"keep_environment =\nbegin routers\n{text}")
    case = known(tmp_path, 'order = ["disposable"]\n', exim=Exim(config=config), **wired())
    ((found, what),) = told(router, case)
    assert (found, words in what) == (level, True)


def test_a_policy_without_disposable_addresses_needs_none(tmp_path: Path) -> None:
    assert told(router, known(tmp_path, "order = []\n", **wired())) == []
