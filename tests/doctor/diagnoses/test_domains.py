"""Domains that Exim takes mail for and the policy does not judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eximacl.doctor.diagnoses.domains import domains
from eximacl.exim import Exim
from tests.doctor.breaks import policy
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

DOMAINS = 'domains = ["example.org", "example.com"]'
WAYS: dict[str, Way] = {
    "no domain judged": Way(policy(DOMAINS, "domains = []"), "problem", "policy.domains is empty"),
    "other domains judged": Way(
        policy(DOMAINS, 'domains = ["example.net"]'), "problem", r"none of policy.domains \(example.net"
    ),
    "a domain not judged": Way(policy(DOMAINS, 'domains = ["example.org"]'), "warning", "lacks .*example.com"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "domains", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("domains") == {"ok"}


YES, NO, NOT_KNOWN = {"example.org": True}, {"example.org": False}, dict[str, bool]()
OWN = [
    (("example.org",), YES, "ok", "that Exim lists as its own"),
    (("example.org", "mx.example.net"), YES, "ok", "except this host's name mx.example.net"),  # few want mail for it
    (("example.org", "example.com", "mx.example.net"), YES, "warning", "lacks example.com"),
    (("example.com", "mx.example.net"), NO, "problem", "none of policy.domains (example.org), but for example.com"),
    ((), YES, "ok", "that Exim lists as its own"),  # a look-up has it
    ((), NOT_KNOWN, "ok", "that Exim lists as its own"),
]


@pytest.mark.parametrize(("own", "taken", "level", "words"), OWN)
def test_which_are_missing(tmp_path: Path, own: tuple[str, ...], taken: object, level: str, words: str) -> None:
    facts: dict[str, Any] = {"local_domains": own, "relay_domains": (), "taken": taken, "looked_up": ()}
    case = known(tmp_path, complaint="", hostname="mx.example.net", **facts)
    ((found, what),) = told(domains, case)
    assert (found, words in what) == (level, True), what


LISTS = [
    ("example.org", "", "ok", "lists as its own"),
    ("lsearch;{home}/domains", "", "ok", "which further domains lsearch;{home}/domains has is not known"),
    ("", "example.org", "ok", "lists as its own"),
    ("example.org", "example.com", "warning", "lacks example.com"),
    ("lsearch;{home}/none", "", "ok", "is not known"),  # it cannot be asked
    ("*.example.net", "", "problem", "Exim accepts mail for none of policy.domains"),
]


@pytest.mark.needs_exim
@pytest.mark.parametrize(("local", "relayed", "level", "words"), LISTS)
def test_exim_is_asked(tmp_path: Path, local: str, relayed: str, level: str, words: str) -> None:
    (tmp_path / "domains").write_text("example.org:\n")
    config = tmp_path / "exim.conf"
    text = f"keep_environment =\ndomainlist local_domains = {local}\ndomainlist relay_to_domains = {relayed}\n"
    config.write_text(text.format(home=tmp_path))
    ((found, what),) = told(domains, known(tmp_path, exim=Exim(config=config)))
    assert (found, words.format(home=tmp_path) in what) == (level, True), what


def test_a_domain_of_the_policys_that_exim_does_not_know(tmp_path: Path) -> None:
    facts: dict[str, Any] = {"local_domains": ("example.org",), "relay_domains": (), "looked_up": (), "hostname": "mx"}
    case = known(tmp_path, complaint="", taken={"example.org": True, "exmaple.com": False}, **facts)
    assert told(domains, case) == [("warning", "policy.domains has exmaple.com, for which Exim does not accept mail")]


def test_nothing_is_said_where_exim_says_nothing(tmp_path: Path) -> None:
    assert told(domains, known(tmp_path, complaint="broken")) == []
