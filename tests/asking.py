"""Running one check in a test: build a query, ask the check's coroutine, answer its questions from a real state.

    outcome = judge(valid_recipient, query(rcpt="steve@example.org"), options)

Rule: nothing is faked. The query is built as the wire builds it, and the questions are put to a State and a Network.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from eximacl.daemon.answers import Answers, Network, NoNetwork
from eximacl.policy.drive import drive_now
from eximacl.policy.outcome import Alias, Hit, Outcome, Unknown
from eximacl.policy.query import Query, Stage
from eximacl.policy.questions import AnyQuestion, Ask
from eximacl.policy.state import State, StateError
from eximacl.protocol.exim import build_query
from eximacl.state import MemoryState

# 2027-01-15 08:00:00 UTC.
NOW = 1_800_000_000.0

_COMMON = {"v": "1", "ip": "192.0.2.7", "port": "40112", "host": "mx.example.net", "helo": "mx.example.net"}
_BY_STAGE: dict[Stage, dict[str, str]] = {
    "connect": {"helo": ""},
    "helo": {},
    "mail": {"from": "sender@example.net"},
    "rcpt": {"from": "sender@example.net", "tx": "4711-1", "rcpt": "steve@example.org"},
    "data": {"from": "sender@example.net", "tx": "4711-1", "rcpts": "steve@example.org"},
    "end": {"tx": "4711-1"},
}


class Dead(MemoryState):
    """A state that fails at one of its verbs, as on a disk that is gone."""

    def __init__(self, verb: str) -> None:
        super().__init__()

        def fail(*_arguments: Any) -> Any:
            raise StateError("the disk is gone")

        setattr(self, verb, fail)


def query(stage: Stage = "rcpt", /, **values: str) -> Query:
    """Build a query as the wire does, with sensible values unless given; write `from` as `from_`."""
    given = {key.rstrip("_"): value for key, value in values.items()}
    return build_query(stage, {**_COMMON, **_BY_STAGE[stage], **given})


def judge(
    check_function: Callable[[Query, Any, Ask], Coroutine[Any, Any, Outcome]],
    asked: Query,
    options: Any = None,
    *,
    state: State | None = None,
    names: Network | None = None,
    observed: tuple[str, ...] = (),
    now: float = NOW,
) -> Outcome:
    """Run a check on a query and return its outcome; an Alias with its `last` not yet asked."""
    ask = Ask(now, asked.transaction)
    ask.observed = observed
    return drive_now(check_function(asked, options, ask), answers(state, now, asked.dry, names))


def judge_last(
    outcome: Outcome, *, state: State | None = None, now: float = NOW, dry: bool = False
) -> Hit | Unknown | None:
    """Ask an Alias for its `last` outcome, as the policy does when nothing else objected."""
    assert isinstance(outcome, Alias)
    if outcome.last is None:
        return None
    return drive_now(_await(outcome.last()), answers(state, now, dry))


def answers(
    state: State | None, now: float, dry: bool = False, names: Network | None = None
) -> Callable[[AnyQuestion], Any]:
    """Return what answers questions from `state` and `names`; without them, from an empty memory, and not at all."""
    return Answers(state or MemoryState(), names or NoNetwork(), Ask(now), dry)


async def _await(awaitable: Awaitable[Hit | Unknown | None]) -> Hit | Unknown | None:
    return await awaitable
