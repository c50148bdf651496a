"""Running one check in a test, by `eximacl.testing`; and what only our own tests need."""

from __future__ import annotations

from typing import Any

from eximacl.check import CheckFunction
from eximacl.daemon.answers import Answers, Network, NoNetwork
from eximacl.policy.outcome import Alias, Hit, Outcome, Reserve, Unknown
from eximacl.policy.places import Place
from eximacl.policy.query import Query
from eximacl.policy.questions import Ask
from eximacl.policy.state import State, StateError
from eximacl.state import MemoryState
from eximacl.testing import NOW, decision_of, outcome_of, query

__all__ = ["ASK", "NOW", "Dead", "answers", "judge", "query", "reserve"]

ASK = Ask("check")


class Dead(MemoryState):
    """A state that fails at one of its verbs, as on a disk that is gone."""

    def __init__(self, verb: str) -> None:
        super().__init__()

        def fail(*_arguments: Any) -> Any:
            raise StateError("the disk is gone")

        setattr(self, verb, fail)


def judge(
    run: CheckFunction,
    asked: Query,
    options: Any = None,
    *,
    state: State | None = None,
    names: Network | None = None,
    observed: tuple[str, ...] = (),
    now: float = NOW,
) -> Outcome:
    """Run a check on a query at a time, and return its outcome; what it reserves is not reserved yet."""
    return outcome_of(run, asked, options, state=state, dns=names, now=now, observed=observed)


def reserve(
    outcome: Outcome, *, state: State | None = None, now: float = NOW, dry: bool = False, tx: str = "4711-1"
) -> Hit | Unknown | None:
    """Reserve what an Alias needs, as the policy does when nothing else objected, and return what comes of that."""
    assert isinstance(outcome, Alias)
    needed = outcome.reserve
    if needed is None:
        return None

    objections: list[Hit] = []

    def noted(place: Place) -> Hit:
        objections.append(needed.objection(place))
        return objections[-1]

    async def needs(_query: Query, _options: Any, _ask: Ask) -> Reserve:
        return needed._replace(objection=noted)

    asked = query(tx=tx, dry="1" if dry else "0")
    decision = decision_of(needs, asked, state=state, now=now, on_unknown="defer")
    if decision.word == "accept":
        return None
    return objections[-1] if objections else Unknown(decision.detail)


def answers(state: State | None, now: float, dry: bool = False, names: Network | None = None) -> Answers:
    """Return what answers questions from `state` and `names`; without them, from an empty memory, and not at all."""
    asked = query(dry="1" if dry else "0")._replace(now=now)
    return Answers(state or MemoryState(), names or NoNetwork(), asked)
