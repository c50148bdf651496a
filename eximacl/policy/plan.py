"""A policy as the configuration makes it: whose mail is exempt, and which checks run for a domain at a stage."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eximacl.mail.host_lists import Clients, Hosts
from eximacl.mail.lists import Networks, Recipients, Suffixes
from eximacl.mail.patterns import PatternTimeout
from eximacl.mail.sender_lists import SenderRules
from eximacl.policy.declare import CheckFunction, ListProbe
from eximacl.policy.outcome import Action, Decision, OnUnknown, Traced
from eximacl.policy.query import STAGES, Query, Stage
from eximacl.policy.questions import Ask

KNOWN_DAYS = 180
# The exemptions that ask about what a client says only after a stage. Recipients are not known at any of these stages.
_SAID_LATER: Mapping[Stage, tuple[str, ...]] = {
    "connect": ("greetings", "senders", "sender_domains"),
    "helo": ("senders", "sender_domains"),
}


@dataclass(frozen=True, slots=True)
class Exempt:
    """Who is never objected to. `match` names the list and the entry, for the trace."""

    recipients: Recipients = field(default_factory=Recipients)
    senders: SenderRules = field(default_factory=SenderRules)
    sender_domains: Suffixes = field(default_factory=Suffixes)
    ips: Networks = field(default_factory=Networks)
    hosts: Hosts = field(default_factory=Hosts)
    clients: Clients = field(default_factory=Clients)
    greetings: Hosts = field(default_factory=Hosts)

    def match(self, query: Query) -> str | None:
        """Return `list: entry` of the first list that covers the query, or None.

        A pattern that takes too long exempts: nothing may be refused because of it.
        """
        try:
            return self._addresses(query) or self._client(query)
        except PatternTimeout as timeout:
            return f"a pattern {timeout}"

    @property
    def has_recipients(self) -> bool:
        """Whether an entry is about recipients, which are not known at the early stages."""
        return not self.recipients.unused or self.senders.has_recipients

    def may_cover_later(self, stage: Stage) -> bool:
        """Whether a list that has entries, or may get some, asks about what a client says only after a stage."""
        later = (getattr(self, name) for name in _SAID_LATER.get(stage, ()))
        return self.senders.has_recipients or any(not entries.unused for entries in later)

    def _addresses(self, query: Query) -> str | None:
        recipient, sender = query.recipient, query.sender
        if recipient is not None and self.recipients.filled:
            for name in query.names:
                entry = self.recipients.match(name, recipient.domain)
                if entry:
                    return f"recipients: {entry}"
        if sender is None or not sender.domain:
            return None
        if self.senders.filled:
            entry = self.senders.match(sender, query.names, recipient.domain if recipient else "")
            if entry:
                return f"senders: {entry}"
        entry = self.sender_domains.match(sender.domain) if self.sender_domains.filled else None
        return f"sender_domains: {entry}" if entry else None

    def _client(self, query: Query) -> str | None:
        if self.ips.filled and query.ip in self.ips:
            return f"ips: {query.ip}"
        entry = self.hosts.match(query.host) if self.hosts.filled else None
        if entry:
            return f"hosts: {entry}"
        entry = self.clients.match(query.ip, query.host) if self.clients.filled else None
        if entry:
            return f"clients: {entry}"
        entry = self.greetings.match(query.helo) if self.greetings.filled else None
        return f"greetings: {entry}" if entry else None


class Step:
    """One check as one domain's policy wants it: bound to its options, action and exemptions. Never changed."""

    __slots__ = (
        "action",
        "allows",
        "exempt",
        "heeds_allowed",
        "listens_to",
        "message",
        "name",
        "on_unknown",
        "once",
        "options",
        "passed",
        "resolves",
        "run",
        "spare_known",
        "spares",
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
        resolves: bool = False,
        heeds_allowed: bool = True,
        once: bool = False,
        spare_known: bool = False,
        allows: bool = False,
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
        self.resolves = resolves
        self.heeds_allowed = heeds_allowed
        self.once = once
        self.spare_known = spare_known
        self.allows = allows
        self.spares = bool(exempt) or spare_known
        self.passed = Traced(name, "pass")

    def may_spare_later(self, stage: Stage) -> bool:
        """Whether mail to which it objects at a stage before RCPT may be exempt from it, by what is known later."""
        return self.spare_known or any(one.has_recipients or one.may_cover_later(stage) for one in self.exempt)


# A step's turn at a stage: what it asks through, and whether it runs silently, only to resolve a name. A plain tuple,
# since each query unpacks all of them.
Turn = tuple[Step, Ask, bool]


class StagePlan:
    """The steps of one stage, and what most queries come to, made once: each step passes, the message is accepted.

    steps: those that may object, in their order. turns: theirs, and those of the steps that only resolve names for
    them.
    """

    __slots__ = ("_allowed", "accepted", "passed", "steps", "turns")

    def __init__(self, stage: Stage, turns: Iterable[tuple[Step, bool]] = (), want: tuple[Stage, ...] = ()) -> None:
        made = [(step, Ask(step.name, step.action, stage not in step.stages), silent) for step, silent in turns]
        self.turns = _needed(made)
        self.steps = tuple(step for step, _, silent in self.turns if not silent)
        self._allowed: dict[Step, tuple[Turn, ...]] = {}
        self.passed = tuple(step.passed for step in self.steps)
        self.accepted = Decision("accept", self.passed, want=want)

    def after_allowed(self, step: Step) -> tuple[Turn, ...]:
        """Return the turns that remain once this step allowed the message: who objects or resolves all the same."""
        turns = self._allowed.get(step)
        if turns is None:
            after = [one for one, _, _ in self.turns].index(step) + 1
            turns = self._allowed[step] = _unspared(self.turns[after:])
        return turns

    def before(self, step: Step) -> list[Traced]:
        """Return the lines of a trace in which every step before this one passed."""
        lines: list[Traced] = []
        for one, _, silent in self.turns:
            if one is step:
                break
            if not silent:
                lines.append(one.passed)
        return lines


def _unspared(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    left = [(step, ask, silent or step.heeds_allowed) for step, ask, silent in turns]
    return _needed([turn for turn in left if turn[0].resolves or not turn[2]])


def _needed(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Leave out the silent turns at the end: there is nobody after them to resolve names for."""
    last = max((number for number, (_, _, silent) in enumerate(turns) if not silent), default=-1)
    return tuple(turns[: last + 1])


class DomainPolicy:
    """What one domain asks of its mail: exemptions, and the steps of each stage in the order of the config.

    A step that is off takes no part, unless it resolves names: then it does that for the steps after it.
    stages: what runs at each. later: the stages after RCPT that Exim has to ask about for every message; a check that
    runs at `rcpt` and at `data` says itself whether it needs the second (`AtData`). separators: the characters that
    start a tag in this domain's localparts. spares_known: whether one of the steps spares known senders.

    unsure: for the policy of the stages before a recipient is known, the checks that not all domains want like this.
    It leaves them out, and all else from which a message may turn out to be exempt.
    """

    __slots__ = ("exempt", "later", "separators", "spares_known", "stages")

    def __init__(
        self,
        steps: tuple[Step, ...],
        exempt: tuple[Exempt, ...] = (),
        separators: str = "+",
        unsure: Container[str] | None = None,
    ) -> None:
        self.separators = separators
        enabled = [step for step in steps if step.action != "off"]
        self.exempt = exempt
        self.spares_known = any(step.spare_known for step in enabled)
        always = any("data" in step.stages and "rcpt" not in step.stages for step in enabled)
        self.later: tuple[Stage, ...] = ("data",) if always else ()
        self.stages = {}
        for stage in STAGES:
            here = steps if unsure is None else tuple(_certain(stage, steps, exempt, unsure))
            self.stages[stage] = StagePlan(stage, _turns_at(stage, here), self.later if stage == "rcpt" else ())

    def steps(self, stage: Stage) -> tuple[Step, ...]:
        """Return the steps that may object at a stage, in order."""
        return self.stages[stage].steps


def _certain(stage: Stage, steps: Iterable[Step], exempt: tuple[Exempt, ...], unsure: Container[str]) -> Iterator[Step]:
    """Yield the steps that may object at a stage before a recipient is known, since nothing later will spare from them.

    The policy's own exemptions of recipients are left aside: a client that is refused early reaches nobody.
    """
    if any(one.may_cover_later(stage) for one in exempt):
        return
    may_be_allowed = False
    for step in steps:
        if step.name in unsure or step.may_spare_later(stage):
            may_be_allowed = may_be_allowed or step.allows
        elif not (may_be_allowed and step.heeds_allowed):
            yield step


def _turns_at(stage: Stage, steps: Sequence[Step]) -> Iterator[tuple[Step, bool]]:
    """Yield the steps of a stage, those that one of them listens to, and, as silent ones, those that resolve names."""
    enabled = [step for step in steps if step.action != "off"]
    heard = [step.listens_to for step in enabled if stage in step.stages]
    for step in steps:
        silent = step not in enabled or not (stage in step.stages or any(step.name in names for names in heard))
        if not silent or (step.resolves and stage in ("rcpt", "data")):
            yield step, silent


class Policy:
    """The policies of all domains in one configuration. `early` judges the stages before a recipient is known.

    probes: how to test the DNS lists that they ask. known_days: for how long a known sender is known.
    """

    __slots__ = ("base", "domains", "early", "known_days", "overlays", "probes")

    def __init__(
        self,
        domains: Container[str],
        base: DomainPolicy,
        overlays: Mapping[str, DomainPolicy] | None = None,
        early: DomainPolicy | None = None,
        probes: tuple[ListProbe, ...] = (),
        known_days: int = KNOWN_DAYS,
    ) -> None:
        self.probes = probes
        self.known_days = known_days
        self.domains = domains
        self.base = base
        self.overlays: Mapping[str, DomainPolicy] = overlays or {}
        self.early = early or base

    def for_domain(self, domain: str) -> DomainPolicy | None:
        """Return the policy for recipients at a canonical domain; None where this configuration does not judge it."""
        if domain not in self.domains:
            return None
        return self.overlays.get(domain, self.base)


def covered(exemptions: tuple[Exempt, ...], query: Query) -> str | None:
    """Return why the first of the exemptions that fits covers a query; None: none fits."""
    for exempt in exemptions:
        why = exempt.match(query)
        if why:
            return why
    return None
