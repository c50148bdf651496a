"""A policy as the configuration makes it: whose mail is exempt, and which checks run for a domain at a stage."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from eximacl.mail.lists import Networks, Recipients, Suffixes
from eximacl.policy.declare import CheckFunction, ListProbe
from eximacl.policy.outcome import Action, Decision, OnUnknown, Traced
from eximacl.policy.query import STAGES, Query, Stage
from eximacl.policy.questions import Ask


@dataclass(frozen=True, slots=True)
class Exempt:
    """Who is never objected to. `match` names the list and the entry, for the trace."""

    recipients: Recipients = field(default_factory=Recipients)
    senders: Recipients = field(default_factory=Recipients)
    sender_domains: Suffixes = field(default_factory=Suffixes)
    ips: Networks = field(default_factory=Networks)
    hosts: Suffixes = field(default_factory=Suffixes)

    def match(self, query: Query) -> str | None:
        """Return `list: entry` of the first list that covers the query, or None."""
        recipient, sender = query.recipient, query.sender
        if recipient is not None and self.recipients.filled:
            entry = self.recipients.match(query.mailbox, recipient.domain)
            if entry:
                return f"recipients: {entry}"
        if sender is not None and sender.domain:
            entry = self.senders.match(*sender) if self.senders.filled else None
            if entry:
                return f"senders: {entry}"
            entry = self.sender_domains.match(sender.domain) if self.sender_domains.filled else None
            if entry:
                return f"sender_domains: {entry}"
        if self.ips.filled and query.ip in self.ips:
            return f"ips: {query.ip}"
        entry = self.hosts.match(query.host) if self.hosts.filled else None
        return f"hosts: {entry}" if entry else None


class Step:
    """One check as one domain's policy wants it: bound to its options, action and exemptions. Never changed."""

    __slots__ = (
        "action",
        "exempt",
        "listens_to",
        "message",
        "name",
        "on_unknown",
        "options",
        "passed",
        "run",
        "stages",
    )

    def __init__(
        self,
        name: str,
        run: CheckFunction,
        options: Any,
        *,
        stages: frozenset[Stage],
        action: Action = "reject",
        on_unknown: OnUnknown = "accept",
        exempt: tuple[Exempt, ...] = (),
        message: str = "",
        listens_to: Container[str] = (),
    ) -> None:
        self.name = name
        self.run = run
        self.options = options
        self.stages = stages
        self.action = action
        self.on_unknown = on_unknown
        self.exempt = exempt
        self.message = message
        self.listens_to = listens_to
        self.passed = Traced(name, "pass")


class StagePlan:
    """The steps of one stage, and what most queries come to, made once: each step passes, the message is accepted.

    turns: the steps in their order, each with what it asks through.
    """

    __slots__ = ("accepted", "passed", "steps", "turns")

    def __init__(self, stage: Stage, steps: tuple[Step, ...] = (), want: tuple[Stage, ...] = ()) -> None:
        self.steps = steps
        self.turns = tuple((step, Ask(step.name, step.action, stage not in step.stages)) for step in steps)
        self.passed = tuple(step.passed for step in steps)
        self.accepted = Decision("accept", self.passed, want=want)

    def before(self, step: Step) -> list[Traced]:
        """Return the lines of a trace in which every step before this one passed."""
        return list(self.passed[: self.steps.index(step)])


class DomainPolicy:
    """What one domain asks of its mail: exemptions, and the steps of each stage in the order of the config.

    stages: what runs at each. later: the stages after RCPT that Exim has to ask about for every message; a check that
    runs at `rcpt` and at `data` says itself whether it needs the second (`AtData`).
    """

    __slots__ = ("exempt", "later", "stages")

    def __init__(self, steps: tuple[Step, ...], exempt: tuple[Exempt, ...] = ()) -> None:
        enabled = tuple(step for step in steps if step.action != "off")
        self.exempt = exempt
        always = any("data" in step.stages and "rcpt" not in step.stages for step in enabled)
        self.later: tuple[Stage, ...] = ("data",) if always else ()
        self.stages = {
            stage: StagePlan(stage, _steps_at(stage, enabled), self.later if stage == "rcpt" else ())
            for stage in STAGES
        }

    def steps(self, stage: Stage) -> tuple[Step, ...]:
        """Return the enabled steps of a stage, in order."""
        return self.stages[stage].steps


def _steps_at(stage: Stage, enabled: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps of a stage, and those that one of them listens to."""
    steps = [step for step in enabled if stage in step.stages]
    return tuple(step for step in enabled if step in steps or any(step.name in other.listens_to for other in steps))


class Policy:
    """The policies of all domains in one configuration. `early` judges the stages before a recipient is known.

    probes: how to test the DNS lists that they ask.
    """

    __slots__ = ("base", "domains", "early", "overlays", "probes")

    def __init__(
        self,
        domains: Container[str],
        base: DomainPolicy,
        overlays: Mapping[str, DomainPolicy] | None = None,
        early: DomainPolicy | None = None,
        probes: tuple[ListProbe, ...] = (),
    ) -> None:
        self.probes = probes
        self.domains = domains
        self.base = base
        self.overlays: Mapping[str, DomainPolicy] = overlays or {}
        self.early = early or base

    def for_domain(self, domain: str) -> DomainPolicy | None:
        """Return the policy for recipients at a canonical domain; None where this configuration does not judge it."""
        if domain not in self.domains:
            return None
        return self.overlays.get(domain, self.base)
