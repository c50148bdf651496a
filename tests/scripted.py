"""Checks whose outcomes a table scripts, and answers from a dict: the policy core runs on nothing else.

A plan is written as steps, in order:

    NAME[:ACTION][/ON_UNKNOWN][!LIST=ENTRY]=OUTCOME[@MAILBOX]

OUTCOME is `pass`, `hit`, `hit(ACTION)` (a hit with an action of its own), `temp` (a hit that time may cure), `unknown`,
`spared`, `later` (passed, and asked again at DATA), `heard(NAME)` (a hit if NAME had one under observe), `alias(NAME)`,
`place(NAME)` (an alias that needs a slot), `bug` (it raises), or `fate(NAME)`: the recipient's fate is counted, under
`bad` where NAME refused it and under `good` where nothing objected. With `@MAILBOX` it holds for that mailbox only;
others pass. A check whose name begins with `resolving` resolves names. A check whose name begins with `data` runs at
DATA only, with `both` at RCPT and DATA.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from eximacl.mail.host_lists import Clients, Hosts
from eximacl.mail.lists import Networks, Recipients, Suffixes
from eximacl.mail.sender_lists import SenderRules
from eximacl.policy.drive import drive_now
from eximacl.policy.engine import decide
from eximacl.policy.outcome import (
    Action,
    Alias,
    Allowed,
    AtData,
    CountFate,
    Decision,
    Hit,
    OnUnknown,
    Outcome,
    Reserve,
    Unknown,
)
from eximacl.policy.places import Place, Slot
from eximacl.policy.plan import DomainPolicy, Exempt, Policy, Step
from eximacl.policy.query import Query, Stage
from eximacl.policy.questions import AnyRequest, Ask

STEP = re.compile(r"([a-z_]+)(?::([a-z]+))?(?:/([a-z]+))?(?:!([^=]+=[^=]+))?=([a-z]+)(?:\((.*?)\))?(?:@(.*))?")
EARLY_AND_RCPT: frozenset[Stage] = frozenset(("connect", "helo", "mail", "rcpt"))


def scripted(name: str, kind: str, argument: str, only: str) -> Callable[[Query, Any, Ask], Awaitable[Outcome]]:
    async def run(query: Query, options: Any, ask: Ask) -> Outcome:
        if only and query.mailbox != only:
            return None
        if kind == "place":
            return Alias(argument, one_slot(argument))
        if kind == "bug":
            raise RuntimeError(name)
        outcomes: dict[str, Outcome] = {
            "pass": None,
            "hit": Hit(
                f"{name}-hit", "detail", f"{name} objects", f"{name} objected", action=cast("Action", argument) or None
            ),
            "temp": Hit(f"{name}-temp", "detail", f"{name} objects for now", status="2.3", temporary=True),
            "unknown": Unknown(f"{name} cannot tell"),
            "alias": Alias(argument),
            "spared": Allowed("by the best"),
            "later": AtData(),
            "fate": CountFate((argument,), "bad", "good", 60.0, 9, 2),
            "heard": Hit(f"{name}-heard", argument, f"{name} objects") if argument in ask.observed else None,
        }
        return outcomes[kind]

    return run


def one_slot(key: str) -> Reserve:
    def objection(place: Place) -> Hit:
        return Hit(f"place-{place.slot}", key, f"place is {place.slot}", temporary=place.slot == "pending")

    return Reserve(key, 1, objection)


def exempt_of(text: str) -> Exempt:
    """Read `LIST=ENTRY,ENTRY`."""
    kind, _, entries = text.partition("=")
    one: Any = {
        "recipients": Recipients,
        "senders": SenderRules,
        "sender_domains": Suffixes,
        "ips": Networks,
        "hosts": Hosts,
        "clients": Clients,
        "greetings": Hosts,
    }[kind](entries.split(","))
    return Exempt(**{kind: one})


def step_of(text: str, stages: frozenset[Stage] = EARLY_AND_RCPT) -> Step:
    match = STEP.fullmatch(text)
    assert match, f"not a step: {text}"
    name, action, on_unknown, exempt, kind, argument, only = match.groups()
    return Step(
        name,
        scripted(name, kind, argument or "", only or ""),
        None,
        stages=_stages_of(name, stages),
        action=cast("Action", action or "reject"),
        on_unknown=cast("OnUnknown", on_unknown or "accept"),
        exempt=(exempt_of(exempt),) if exempt else (),
        listens_to=frozenset((argument,)) if kind == "heard" else (),
        resolves=name.startswith("resolving"),
    )


def _stages_of(name: str, stages: frozenset[Stage]) -> frozenset[Stage]:
    if name.startswith("data"):
        return frozenset(("data",))
    return frozenset(("rcpt", "data")) if name.startswith("both") else stages


def plan_of(steps: str, exempt: str = "") -> DomainPolicy:
    return DomainPolicy(tuple(map(step_of, steps.split())), tuple(map(exempt_of, exempt.split())))


class Answers:
    """Answers from `QUESTION=ANSWER …`, each used once and in order; a question beyond them is an error.

    What `peek` finds is what the next answer gives to `reserve`, or a free place where there is none.
    """

    def __init__(self, text: str) -> None:
        self.left = text.split()

    def __call__(self, request: AnyRequest) -> Any:
        if request.question.kind == "peek":
            name, _, value = (self.left or [""])[0].partition("=")
            return Place(cast("Slot", value if name == "reserve" and value != "unknown" else "reserved"), 1, 1)
        assert self.left, f"unexpected question: {request.question}"
        name, _, value = self.left.pop(0).partition("=")
        assert request.question.kind == name
        if value == "unknown":
            return Unknown("the state is dead")
        return Place(cast("Slot", value), 1, 1) if name == "reserve" else value


def trace_of(decision: Decision) -> str:
    return " ".join(f"{line.check}:{line.result}" for line in decision.trace)


def run(policy: Policy, query: Query, answers: str = "") -> Decision:
    """Decide, and insist that exactly the expected questions were asked."""
    answer = Answers(answers)
    decision = drive_now(decide(policy, query), answer)
    assert not answer.left, f"never asked: {answer.left}"
    return decision


def policy_of(
    plan: DomainPolicy, overlays: Mapping[str, DomainPolicy] | None = None, early: DomainPolicy | None = None
) -> Policy:
    return Policy(frozenset(("example.org", "example.com")), plan, overlays, early)
