"""`bounce_storm`: the limit, the window, the block and how it grows; and who is never counted."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.check import Hit, Patterns, Unknown, declared
from eximacl.checks._block_keys import block_key
from eximacl.checks.bounce_storm import Options, bounce_storm
from eximacl.policy.state import StateError
from eximacl.state import MemoryState
from eximacl.testing import outcome_of
from tests.asking import NOW, judge, query
from tests.checks.running import documented_defaults

MINUTE = 60.0


def options(auto_replies: list[str] | None = None, **given: Any) -> Options:
    chosen = {"limit": 3, "minutes": 10, "block_minutes": 60, "block": "bounces", **given}
    return Options(**chosen, auto_replies=Patterns(auto_replies or []))


def reasons(
    state: MemoryState, times: list[float], given: Options | None = None, separators: str = "+", **values: str
) -> list[str]:
    """Send a bounce at each of these times (minutes from NOW), and return what each came to."""
    found = []
    for minutes in times:
        asked = query(**{"from_": "", **values})._replace(separators=separators)
        outcome = judge(bounce_storm, asked, given or options(), state=state, now=NOW + minutes * MINUTE)
        found.append(outcome.reason if isinstance(outcome, Hit) else str(outcome))
    return found


PASS, STORM = "None", "bounce-storm"


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 0, 0], [PASS, PASS, PASS]),
        ([0, 0, 0, 0, 0], [PASS, PASS, PASS, STORM, STORM]),
        ([0, 4, 8, 9.99], [PASS, PASS, PASS, STORM]),
        ([0, 4, 8, 10, 13.99], [PASS, PASS, PASS, PASS, STORM]),
        ([0, 20, 40, 60], [PASS, PASS, PASS, PASS]),
    ],
    ids=["at the limit", "over it", "within the window", "the window slides", "slowly"],
)
def test_the_limit_in_a_window(times: list[float], expected: list[str]) -> None:
    assert reasons(MemoryState(), times) == expected


def test_the_limit_is_twenty_in_ten_minutes_by_default() -> None:
    defaults = documented_defaults(bounce_storm)
    assert (defaults["limit"], defaults["minutes"], defaults["block"]) == (20, 10, "bounces")
    assert reasons(MemoryState(), [0.0] * 21, options(limit=20)) == [PASS] * 20 + [STORM]


@pytest.mark.parametrize("scope", ["bounces", "all"])
def test_a_storm_blocks_and_the_block_lasts_longer_while_it_blows(scope: Any) -> None:
    state = MemoryState()
    key = block_key(scope, "steve", "example.org")
    reasons(state, [0, 0, 0], options(block=scope))
    assert state.blocked(key, NOW) is None
    reasons(state, [1], options(block=scope))
    first = state.blocked(key, NOW + MINUTE)
    assert first is not None
    assert (first.since, first.until) == (NOW + MINUTE, NOW + 61 * MINUTE)
    assert first.why == "over 3 bounces in 10 min"
    reasons(state, [5], options(block=scope))
    last = state.blocked(key, NOW + 5 * MINUTE)
    assert last is not None
    assert (last.since, last.until) == (NOW + MINUTE, NOW + 65 * MINUTE)


def test_recipients_are_counted_apart_and_spellings_together() -> None:
    state = MemoryState()
    assert reasons(state, [0] * 3) == [PASS] * 3
    assert reasons(state, [0] * 3, rcpt="ann@example.org") == [PASS] * 3
    assert reasons(state, [0] * 3, rcpt="steve@example.com") == [PASS] * 3
    assert reasons(state, [0], rcpt="STEVE@Example.Org") == [STORM]


@pytest.mark.parametrize(
    ("separators", "expected"), [("+", [PASS, PASS, PASS, STORM]), ("-", [PASS] * 4), ("", [PASS] * 4)]
)
def test_tagged_bounces_count_as_their_names_storm(separators: str, expected: list[str]) -> None:
    state = MemoryState()
    sent = [f"steve+{number}@example.org" for number in range(4)]
    assert [reasons(state, [0], separators=separators, rcpt=rcpt)[0] for rcpt in sent] == expected
    assert [block.key for block in state.blocks(NOW)] == [block_key("bounces", "steve", "example.org")] * (
        STORM in expected
    )


def test_only_bounces_count() -> None:
    state = MemoryState()
    assert reasons(state, [0] * 9, from_="a@example.net") == [PASS] * 9
    assert reasons(state, [0] * 9, from_="mailer-daemon@example.net") == [PASS] * 9


def test_what_looks_like_an_automatic_reply_counts_if_asked_for() -> None:
    given = options(["^mailer-daemon$"])
    tagged = "btv1==0787b0b1b22==mailer-daemon@example.net"
    assert reasons(MemoryState(), [0] * 4, given, from_=tagged) == [PASS] * 3 + [STORM]
    assert reasons(MemoryState(), [0] * 4, given, from_="MAILER-DAEMON@example.net") == [PASS] * 3 + [STORM]
    assert reasons(MemoryState(), [0] * 4, given, from_="a@example.net") == [PASS] * 4


def test_a_pattern_that_does_not_end_is_unknown() -> None:
    given = options(["(?:xy|xyxy)+$"])
    outcome = judge(bounce_storm, query(from_="xy" * 100 + "!@example.net"), given)
    assert isinstance(outcome, Unknown)


def test_observing_blocks_nobody() -> None:
    state = MemoryState()

    given = options(limit=1)
    outcomes = [outcome_of(bounce_storm, query(from_=""), given, state=state, action="observe") for _ in range(2)]
    assert isinstance(outcomes[1], Hit)
    assert state.blocks(NOW) == ()


def test_dry_counts_and_blocks_nothing() -> None:
    state = MemoryState()
    assert reasons(state, [0] * 9, dry="1") == [PASS] * 9
    reasons(state, [0] * 3)
    assert reasons(state, [0], dry="1") == [STORM]
    assert state.blocks(NOW) == ()


class Dead(MemoryState):
    def count(self, key: str, window: float, most: int, now: float) -> int:
        raise StateError("the disk is gone")


class DeadBlocks(MemoryState):
    def block(self, key: str, now: float, until: float, why: str) -> None:
        raise StateError("the disk is gone")


@pytest.mark.parametrize("state", [Dead(), DeadBlocks()])
def test_a_dead_state_is_unknown(state: MemoryState) -> None:
    assert reasons(state, [0] * 5)[-1] == str(Unknown("the disk is gone"))


def test_before_a_recipient_is_known() -> None:
    assert judge(bounce_storm, query("mail", from_=""), options()) is None


def test_declaration() -> None:
    declaration = declared(bounce_storm)
    assert declaration is not None
    assert declaration.stages == {"rcpt"}
    assert declaration.action == "reject"
