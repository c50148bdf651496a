"""A policy file that is wrong, or that the daemon has refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eximacl.doctor.access import Who
from eximacl.doctor.diagnoses.policy import policy
from eximacl.protocol.client import DaemonError
from tests.doctor import breaks
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "policy wrong": Way(breaks.policy("[policy]", "[nonsense]\n[policy]"), "problem", "nonsense"),
    "policy refused at reload": Way(breaks.refused_reload, "problem", "keeps its old policy: the reload of "),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "policy", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("policy") == {"ok"}


def test_the_first_of_many_problems_is_shown(tmp_path: Path) -> None:
    ((level, what),) = told(policy, known(tmp_path, "[nonsense]\n[more]\n"))
    assert (level, what.endswith("(and 1 more)")) == ("problem", True)


def test_without_the_daemon_the_file_is_looked_at_all_the_same(tmp_path: Path) -> None:
    case = known(tmp_path, _asked=DaemonError("nobody listens"))
    assert told(policy, case) == [("ok", f"{case.config} is OK")]


DAEMON = Who("user 60001", 60001, frozenset({60001}))
CLOSED = [
    ("eximacl.toml", 0o600, ["the daemon may not read {home}/eximacl.toml: "]),
    ("tld", 0o600, ["the daemon may not read {home}/tld: "]),
    ("ours", 0o600, ["the daemon may not read {home}/ours: "]),
    ("texts/sales", 0o600, ["the daemon may not read {home}/texts/sales: "]),
    ("domains/senders", 0o600, ["the daemon may not read {home}/domains/senders: "]),
    ("domains/example.org.toml", 0o640, ["the daemon may not read {home}/domains/example.org.toml: "]),
    ("unused", 0o600, ["{home}/eximacl.toml is OK"]),
]


@pytest.mark.needs_root
@pytest.mark.parametrize(("name", "mode", "found"), CLOSED)
def test_a_file_that_only_root_can_read(tmp_path: Path, name: str, mode: int, found: list[str]) -> None:
    """The daemon's next reload or start fails, whatever `eximacl config test` says to root."""
    policy_text = (
        '[checks.rdns_tld]\ntlds = "tld"\nexempt = { ips = "ours" }\n[checks.bad_recipient]\nrecipients = "texts"\n'
    )
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains/example.org.toml").write_text('[checks.sender_domain]\ndomains = "senders"\n')
    (tmp_path / "texts").mkdir()
    texts = {"tld": "example\n", "ours": "192.0.2.1\n", "texts/sales": "no more\n", "domains/senders": "example.net\n"}
    for each, text in {**texts, "unused": ""}.items():
        (tmp_path / each).write_text(text)
    for above in (tmp_path, *tmp_path.parents):
        above.chmod(above.stat().st_mode | 0o011)
    (tmp_path / "domains").chmod(0o755)
    (tmp_path / "texts").chmod(0o755)
    tmp_path.chmod(0o755)
    facts = (
        {"_asked": {"pid": os.getpid(), "problems": ["refused"], "refused": ["refused"]}}
        if name != "unused"
        else {"_asked": {"pid": os.getpid()}}
    )
    case = known(tmp_path, policy_text, daemon_user=DAEMON, **facts)
    (tmp_path / name).chmod(mode)
    told_of = [what for _, what in told(policy, case)]
    assert [what.startswith(start.format(home=tmp_path)) for what, start in zip(told_of, found, strict=True)] == [True]


def test_what_is_none_of_the_policys_is_not_called_refused(tmp_path: Path) -> None:
    case = known(tmp_path, _asked={"pid": 1, "problems": ["the name server 192.0.2.1 does not answer"]})
    assert [level for level, _ in told(policy, case)] == ["warning", "ok"]


@pytest.mark.needs_root
def test_a_file_that_the_unit_hides_is_not_one_of_another_group(tmp_path: Path) -> None:
    """Where systemd hides a directory from the daemon, no chgrp helps."""
    lists, view = tmp_path / "lists", tmp_path / "proc/1/root"
    lists.mkdir()
    (lists / "tld").write_text("br\n")
    case = known(tmp_path, f'[checks.rdns_tld]\ntlds = "{lists}/tld"\n')
    assert case.loaded
    seen = view / str(tmp_path)[1:]
    (seen / "lists").mkdir(parents=True)
    (seen / "lists").chmod(0)
    case = replace(case, proc=tmp_path / "proc")
    vars(case).update(daemon_user=DAEMON, _asked={"pid": 1})
    found = [what for level, what in told(policy, case) if level == "problem" and f"{lists}/tld" in what]
    assert [words.partition(": its unit hides ")[0] for words in found] == [f"the daemon does not see {lists}/tld"]
