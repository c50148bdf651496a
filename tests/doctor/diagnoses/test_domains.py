"""Domains that Exim takes mail for and the policy does not judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.domains import domains
from tests.doctor.breaks import policy
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

DOMAINS = 'domains = ["example.org", "example.com"]'
WAYS: dict[str, Way] = {
    "no domain judged": Way(policy(DOMAINS, "domains = []"), "problem", "policy.domains is empty"),
    "other domains judged": Way(policy(DOMAINS, 'domains = ["example.net"]'), "problem", "none of Exim's local"),
    "a domain not judged": Way(policy(DOMAINS, 'domains = ["example.org"]'), "warning", "lacks .*example.com"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "domains", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("domains") == {"ok"}


OWN = [
    (("example.org",), "ok", "judges all"),
    (("example.org", "mx.example.net"), "ok", "judges all"),  # few want mail for the host's own name
    (("example.org", "example.com", "mx.example.net"), "warning", "lacks example.com"),
    (("example.com", "mx.example.net"), "problem", "none of Exim's local domains (example.com, mx.example.net)"),
    ((), "ok", "judges all"),
]


@pytest.mark.parametrize(("own", "level", "words"), OWN)
def test_which_are_missing(tmp_path: Path, own: tuple[str, ...], level: str, words: str) -> None:
    case = known(tmp_path, complaint="", local_domains=own, hostname="mx.example.net")
    ((found, what),) = told(domains, case)
    assert (found, words in what) == (level, True)


def test_nothing_is_said_where_exim_says_nothing(tmp_path: Path) -> None:
    assert told(domains, known(tmp_path, complaint="broken")) == []
