"""What a check is tested with: the public API for the authors of checks and their tests.

    assert outcome_of(our_helo, query("helo", helo="mail.example.org"), Options(names=Suffixes(["example.org"])))

Nothing is faked: a query is built as the protocol builds it, and what the check asks is answered from a dict by
question, from DNS records in a dict, or from a real state in memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from eximacl.check import CheckFunction, Outcome, Query, RecordKind, Stage, Unknown
from eximacl.daemon.answers import Answers, Network, NoNetwork
from eximacl.policy.drive import drive_now
from eximacl.policy.engine import decide
from eximacl.policy.outcome import Action, Decision, OnUnknown
from eximacl.policy.plan import DomainPolicy, Policy, Step
from eximacl.policy.questions import (
    AnyQuestion,
    AnyRequest,
    Ask,
    Blocked,
    Count,
    CountEvents,
    FirstSeen,
    ListFault,
    ListFaults,
    Lookup,
    MakeBlock,
    Pause,
    Records,
    Remember,
    WhenSeen,
)
from eximacl.policy.state import State
from eximacl.protocol.exim import build_query
from eximacl.state import MemoryState

__all__ = [
    "NOW",
    "SERVFAIL",
    "Blocked",
    "Count",
    "CountEvents",
    "Dns",
    "FirstSeen",
    "ListFault",
    "ListFaults",
    "Lookup",
    "MakeBlock",
    "MemoryState",
    "Remember",
    "WhenSeen",
    "decision_of",
    "outcome_of",
    "query",
]

# 2027-01-15 08:00:00 UTC, in seconds since 1970.
NOW = 1_800_000_000.0
SERVFAIL = Unknown("the name server answered SERVFAIL")

_COMMON = {"v": "1", "ip": "192.0.2.7", "port": "40112", "host": "mx.example.net", "helo": "mx.example.net"}
_BY_STAGE: dict[Stage, dict[str, str]] = {
    "connect": {"helo": ""},
    "helo": {},
    "mail": {"from": "sender@example.net"},
    "rcpt": {"from": "sender@example.net", "tx": "4711-1", "rcpt": "steve@example.org"},
    "data": {"from": "sender@example.net", "tx": "4711-1", "rcpts": "steve@example.org"},
    "end": {"tx": "4711-1"},
}


def query(stage: Stage = "rcpt", /, **values: str) -> Query:
    """Build a query as the protocol does, with sensible values for those not given; write `from` as `from_`."""
    given = {key.rstrip("_"): value for key, value in values.items()}
    return build_query(stage, {**_COMMON, **_BY_STAGE[stage], **given}, NOW)


class Dns:
    """What DNS says, from a dict or from lines; a name that is not there does not exist.

        Dns({("mx.example.net", "A"): ["192.0.2.7"], ("slow.example", "A"): Unknown("no answer in time")})

    In lines: `NAME KIND ANSWER, ANSWER`, where SERVFAIL stands for an answer that could not be had and a text stands
    in quotes. faults: what is wrong with DNS lists, by name. `asked` lists what was asked, in order.
    """

    def __init__(
        self,
        records: Mapping[tuple[str, str], Sequence[str] | Unknown] | str = "",
        faults: Mapping[str, str] | None = None,
    ) -> None:
        read = _read(records) if isinstance(records, str) else records
        self.records: dict[tuple[str, str], Records | Unknown] = {
            key: answer if isinstance(answer, Unknown) else tuple(answer) for key, answer in read.items()
        }
        self.faults = dict(faults or {})
        self.asked: list[tuple[str, str]] = []

    budget_seconds = 0.0  # every answer is there at once

    def look_up(self, asked: Sequence[tuple[str, RecordKind]], seconds: float) -> tuple[Records | Unknown, ...]:
        """See `Network.look_up`."""
        self.asked += asked
        return tuple(self.records.get((name.lower().rstrip("."), kind), ()) for name, kind in asked)

    def list_fault(self, zone: str) -> str:
        """See `Network.list_fault`."""
        return self.faults.get(zone, "")


def _read(text: str) -> dict[tuple[str, str], Sequence[str] | Unknown]:
    found: dict[tuple[str, str], Sequence[str] | Unknown] = {}
    for line in text.splitlines():
        if line.strip():
            name, kind, answer = line.split(None, 2)
            found[name, kind] = SERVFAIL if answer == "SERVFAIL" else [one.strip('"') for one in answer.split(", ")]
    return found


def outcome_of(
    run: CheckFunction,
    asked: Query,
    options: Any = None,
    *,
    answers: Mapping[AnyQuestion, Any] | None = None,
    dns: Network | None = None,
    state: State | None = None,
    now: float = NOW,
    observed: tuple[str, ...] = (),
    action: Action = "reject",
    replaying_at_data: bool = False,
) -> Outcome:
    """Run a check on a query and return what it finds.

    answers: by question; one that is not there is put to `state` (empty memory) or `dns` (no name server answers).
    now: when, in seconds since 1970.
    observed, action, replaying_at_data: what the check sees of them in its `Ask`.
    """
    asked = asked._replace(now=now)
    ask = Ask("check", action, replaying_at_data, observed)
    return drive_now(_awaited(run(asked, options, ask)), _source(asked, answers, dns, state))


def decision_of(
    run: CheckFunction,
    asked: Query,
    options: Any = None,
    *,
    answers: Mapping[AnyQuestion, Any] | None = None,
    dns: Network | None = None,
    state: State | None = None,
    now: float = NOW,
    action: Action = "reject",
    on_unknown: OnUnknown = "accept",
) -> Decision:
    """Decide a query by a policy in which this check runs alone, for example.org, at every stage.

    So what follows from an outcome is seen as well: the verdict, a slot that is reserved, the stages that are wanted.
    """
    asked = asked._replace(now=now)
    stages: frozenset[Stage] = frozenset((asked.stage,))
    step = Step("check", run, options, stages=stages, action=action, on_unknown=on_unknown)
    policy = Policy(frozenset(("example.org",)), DomainPolicy((step,)))
    return drive_now(decide(policy, asked), _source(asked, answers, dns, state))


def _source(asked: Query, answers: Mapping[AnyQuestion, Any] | None, dns: Network | None, state: State | None) -> Any:
    """Return what answers each request."""
    given = answers or {}
    others = Answers(state or MemoryState(), dns or NoNetwork(), asked)

    def answer(request: AnyRequest) -> Any:
        if isinstance(request.question, Pause):
            return None  # no other query waits
        return given[request.question] if request.question in given else others(request)

    return answer


async def _awaited(outcome: Awaitable[Outcome]) -> Outcome:
    return await outcome
