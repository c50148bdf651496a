"""`blocked_recipient`: who is blocked, for what, until when; and nobody else."""

from __future__ import annotations

import math
from typing import Any

import pytest

from eximacl.check import Hit, NoOptions, Unknown, declared
from eximacl.checks._block_keys import Scope, block_key
from eximacl.checks.blocked_recipient import blocked_recipient
from eximacl.policy.outcome import Outcome
from eximacl.policy.state import StateError
from eximacl.state import MemoryState
from tests.asking import NOW, judge, query

WHY = "by hand"


def outcome_of(scope: Scope, blocked: str, now: float = NOW, until: float = NOW + 60, /, **values: str) -> Outcome:
    state = MemoryState()
    localpart, _, domain = blocked.partition("@")
    state.block(block_key(scope, localpart, domain), NOW, until, WHY)
    return judge(blocked_recipient, query(**values), NoOptions(), state=state, now=now)


ROWS: list[tuple[str, Any, str, dict[str, str], str | None]] = [
    ("its bounces", "bounces", "steve@example.org", {"from_": ""}, "blocked-bounces"),
    ("its other mail", "bounces", "steve@example.org", {}, None),
    ("all its mail", "all", "steve@example.org", {}, "blocked-recipient"),
    ("all its mail, a bounce", "all", "steve@example.org", {"from_": ""}, "blocked-recipient"),
    ("another recipient", "all", "steve@example.org", {"rcpt": "ann@example.org"}, None),
    ("another domain", "all", "steve@example.org", {"rcpt": "steve@example.com"}, None),
    ("another spelling", "all", "steve@example.org", {"rcpt": "STEVE@Example.ORG."}, "blocked-recipient"),
    ("a tag behind it", "all", "steve@example.org", {"rcpt": "steve+shop@example.org"}, "blocked-recipient"),
    (
        "its tagged bounces",
        "bounces",
        "steve@example.org",
        {"rcpt": "steve+1@example.org", "from_": ""},
        "blocked-bounces",
    ),
    ("another separator", "all", "steve@example.org", {"rcpt": "steve-shop@example.org"}, None),
    ("blocked with its tag", "all", "steve+shop@example.org", {"rcpt": "steve+shop@example.org"}, "blocked-recipient"),
    ("another tag is blocked", "all", "steve+shop@example.org", {}, None),
    ("spelt so when it was blocked", "all", "Steve@example.org", {}, "blocked-recipient"),
]


@pytest.mark.parametrize(
    ("scope", "blocked", "values", "reason"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_blocked_recipient(scope: Scope, blocked: str, values: dict[str, str], reason: str | None) -> None:
    outcome = outcome_of(scope, blocked, **values)
    assert (outcome.reason if isinstance(outcome, Hit) else outcome) == reason


def test_a_block_ends() -> None:
    assert isinstance(outcome_of("all", "steve@example.org", NOW + 59), Hit)
    assert outcome_of("all", "steve@example.org", NOW + 60) is None


@pytest.mark.parametrize(
    ("until", "detail"),
    [(NOW + 60, f"until 2027-01-15 08:01 UTC: {WHY}"), (math.inf, f"for ever: {WHY}"), (1e15, f"for ever: {WHY}")],
)
def test_the_log_tells_why_and_until_when(until: float, detail: str) -> None:
    outcome = outcome_of("all", "steve@example.org", NOW, until)
    assert isinstance(outcome, Hit)
    assert outcome.detail == detail
    assert WHY not in outcome.text


def test_a_disposable_address_is_blocked_with_its_owner() -> None:
    state = MemoryState()
    state.block(block_key("all", "steve", "example.org"), NOW, NOW + 60, WHY)
    asked = query(rcpt="steve.3.count@example.org").judged_as("steve")
    assert isinstance(judge(blocked_recipient, asked, NoOptions(), state=state), Hit)


class Dead(MemoryState):
    def blocked(self, key: str, now: float) -> Any:
        raise StateError("the disk is gone")


def test_a_dead_state_is_unknown() -> None:
    for sender in ("", "a@example.net"):
        outcome = judge(blocked_recipient, query(from_=sender), NoOptions(), state=Dead())
        assert outcome == Unknown("the disk is gone")


def test_declaration() -> None:
    declaration = declared(blocked_recipient)
    assert declaration is not None
    assert declaration.stages == {"rcpt"}
    assert declaration.action == "reject"
    assert declaration.on_unknown == "accept"
