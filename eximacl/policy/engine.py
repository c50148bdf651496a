"""The policy: which checks run in which order for which domain, and what their outcomes lead to.

Rule: pure. No I/O, no clock, no asyncio: `decide` is a coroutine that only awaits questions, so whoever
drives it decides where answers come from. The first hit whose action is not `observe` decides;
exemptions come before all; every outcome goes into the trace.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from eximacl.mail.lists import Networks, Recipients, Suffixes
from eximacl.policy.declare import CheckFunction, ListProbe
from eximacl.policy.outcome import Action, Alias, Allowed, Decision, Hit, OnUnknown, Outcome, Traced, Unknown, Word
from eximacl.policy.query import STAGES, Query, Stage
from eximacl.policy.questions import AnyQuestion, Ask

# What a `message` template may name.
MESSAGE_FIELDS = ("ip", "host", "helo", "sender", "recipient", "localpart", "domain", "detail", "reason")


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
    """The steps of one stage, and what most queries come to, made once: each step is passed, the mail accepted."""

    __slots__ = ("accepted", "passed", "steps")

    def __init__(self, steps: tuple[Step, ...] = (), want: tuple[Stage, ...] = ()) -> None:
        self.steps = steps
        self.passed = tuple(step.passed for step in steps)
        self.accepted = Decision("accept", self.passed, want=want)

    def before(self, step: Step) -> list[Traced]:
        """Return the lines of a trace in which every step before this one was passed."""
        return list(self.passed[: self.steps.index(step)])


class DomainPolicy:
    """What one domain asks of its mail: exemptions, and the steps of each stage in the order of the config.

    later: the stages after RCPT that every mail has to be asked about. A check that runs at `rcpt` and at `data`
    says itself whether it needs the second (`Ask.want_data`).
    """

    __slots__ = ("_courses", "exempt", "later")

    def __init__(self, steps: tuple[Step, ...], exempt: tuple[Exempt, ...] = ()) -> None:
        enabled = tuple(step for step in steps if step.action != "off")
        self.exempt = exempt
        always = any("data" in step.stages and "rcpt" not in step.stages for step in enabled)
        self.later: tuple[Stage, ...] = ("data",) if always else ()
        self._courses = {
            stage: StagePlan(_steps_at(stage, enabled), self.later if stage == "rcpt" else ()) for stage in STAGES
        }

    def course(self, stage: Stage) -> StagePlan:
        """Return what is run at a stage."""
        return self._courses[stage]

    def steps(self, stage: Stage) -> tuple[Step, ...]:
        """Return the enabled steps of a stage, in order."""
        return self._courses[stage].steps


def _steps_at(stage: Stage, enabled: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps of a stage, and those that one of them listens to."""
    steps = [step for step in enabled if stage in step.stages]
    return tuple(step for step in enabled if step in steps or any(step.name in other.listens_to for other in steps))


class Policy:
    """All plans of one configuration. `early` judges the stages before a recipient is known.

    probes: how to tell whether the DNS lists that they ask do work.
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
        """Return the plan for recipients at a canonical domain; None where this policy does not judge it."""
        if domain not in self.domains:
            return None
        return self.overlays.get(domain, self.base)


NOT_OURS = Decision(
    "accept", (Traced("policy", "pass", "not-our-domain", "the recipient's domain is not in policy.domains"),)
)
LOST_PLACE = Hit(
    "place-lost",
    "the reservation of this transaction has expired or was released",
    "this message took too long to be counted; please send it again",
    status="3.0",
    temporary=True,
)
STATE_UNKNOWN = LOST_PLACE._replace(
    reason="state-unknown",
    detail="the state backend could not answer",
    text="temporary local problem; please send it again",
)


def decide(policy: Policy, query: Query, ask: Ask) -> Coroutine[AnyQuestion, Any, Decision]:
    """Decide one query, when awaited. Raises nothing; what a check raises stands in `ask.fault`."""
    if query.stage == "rcpt" and query.recipient is not None:
        return _Evaluation(policy.for_domain(query.recipient.domain), query, ask).decide()
    if query.stage == "data":
        return _decide_data(policy, query, ask)
    if query.stage == "end":
        return _decide_end(ask)
    return _Evaluation(policy.early, query, ask).decide()


async def _decide_end(ask: Ask) -> Decision:
    """The message was not accepted in the end: give its places back."""
    ask.step, ask.again = "transaction", False
    released = await ask.release()
    if isinstance(released, Unknown):
        return Decision("accept", (Traced("transaction", "unknown", "unknown", released.detail),))
    return Decision("accept", (Traced("transaction", "pass", "released", str(released)),))


async def _decide_data(policy: Policy, query: Query, ask: Ask) -> Decision:
    """Judge DATA for each recipient; then settle the transaction's places: one message, one fate."""
    trace: tuple[Traced, ...] = ()
    for recipient in query.recipients:
        plan = policy.for_domain(recipient.domain)
        if plan is None or not plan.steps("data"):
            continue
        ask.observed = ()
        decision = await _Evaluation(plan, query.for_recipient(recipient), ask).decide()
        trace += decision.trace
        if decision.word != "accept":
            if query.reserved:
                ask.step, ask.again = "transaction", False
                await ask.release()
            return decision._replace(trace=trace)
    if not query.reserved:
        return Decision("accept", trace)
    ask.step, ask.again = "transaction", False
    settled = await ask.commit()
    if settled == "committed":
        return Decision("accept", (*trace, Traced("transaction", "pass", "committed")))
    hit = LOST_PLACE if settled == "lost" else STATE_UNKNOWN
    return _objection("transaction", "defer", hit, hit.text, (*trace, Traced("transaction", "defer", *hit[:2])), ())


class _Evaluation:
    """One pass of one plan over one query. Short-lived. `trace` is made when a step is more than merely passed."""

    __slots__ = ("ask", "course", "lasts", "plan", "query", "trace")

    def __init__(self, plan: DomainPolicy | None, query: Query, ask: Ask) -> None:
        self.plan = plan
        self.query = query
        self.ask = ask
        self.trace: list[Traced] | None = None
        self.lasts: tuple[tuple[Step, Callable[[], Awaitable[Hit | Unknown | None]]], ...] = ()

    def decide(self) -> Coroutine[AnyQuestion, Any, Decision]:
        if self.plan is None:
            return _decided(NOT_OURS)
        why = _covered(self.plan.exempt, self.query)
        if why:
            return _decided(Decision("accept", (Traced("policy", "exempt", "exempt", why),)))
        return self._go(self.plan)

    async def _go(self, plan: DomainPolicy) -> Decision:
        """Take one step after the other, until one objects or spares the mail the rest."""
        self.course = course = plan.course(self.query.stage)
        ask, clock, stage = self.ask, self.ask.clock, self.query.stage
        for step in course.steps:
            if step.exempt and self._exempted(step):
                continue
            ask.step, ask.action, ask.again = step.name, step.action, stage not in step.stages
            started = clock() if clock else 0.0
            try:
                outcome = await step.run(self.query, step.options, ask)
            except (Exception, SystemExit) as error:
                outcome = self._broken(error)
            if outcome is None and clock is None:
                if self.trace is not None:
                    self.trace.append(step.passed)
                continue
            decision = self._judge(step, outcome, clock() - started if clock else 0.0)
            if decision is not None:
                return decision
            if isinstance(outcome, Allowed) and step.action != "observe":
                break
        if self.trace is None and not ask.reserved and not ask.wants_data:
            return course.accepted
        return await self._finish(plan)

    async def _finish(self, plan: DomainPolicy) -> Decision:
        """Nothing objected: ask what was left for last, then accept. A reserved place has to be settled anyway."""
        ask, clock = self.ask, self.ask.clock
        decision = None
        for step, last in self.lasts:
            ask.step, ask.action, ask.again = step.name, step.action, self.query.stage not in step.stages
            started = clock() if clock else 0.0
            outcome: Outcome
            try:
                outcome = await last()
            except (Exception, SystemExit) as error:
                outcome = self._broken(error)
            decision = self._judge(step, outcome, clock() - started if clock else 0.0)
            if decision is not None:
                break
        want: tuple[Stage, ...] = ("data", "end") if ask.reserved else ("data",) if ask.wants_data else plan.later
        if decision is not None:
            return decision._replace(want=want) if ask.reserved else decision
        trace = self.course.passed if self.trace is None else tuple(self.trace)
        return Decision("accept", trace, want=want if self.query.stage == "rcpt" else ())

    def _broken(self, error: BaseException) -> Unknown:
        """A bug in one check is that check's Unknown: the others go on, and whoever drives this logs it."""
        self.ask.fault = error
        return Unknown(f"a bug in this check: {type(error).__name__}: {error}")

    def _exempted(self, step: Step) -> bool:
        why = _covered(step.exempt, self.query)
        if why:
            self._note(step, Traced(step.name, "exempt", "exempt", why))
        return bool(why)

    def _note(self, step: Step, line: Traced) -> tuple[Traced, ...]:
        """Add a line about this step to the trace, and return the trace so far."""
        if self.trace is None:
            self.trace = self.course.before(step)
        self.trace.append(line)
        return tuple(self.trace)

    def _judge(self, step: Step, outcome: Outcome, seconds: float) -> Decision | None:
        """Turn an outcome into a decision, or into a line of the trace."""
        if outcome is None:
            self._note(step, Traced(step.name, "pass", seconds=seconds))
            return None
        if isinstance(outcome, Alias):
            self._note(step, Traced(step.name, "alias", "alias", outcome.mailbox, seconds))
            self.query = self.query.judged_as(outcome.mailbox)
            if outcome.last is not None:
                self.lasts += ((step, outcome.last),)
            return None
        if isinstance(outcome, Allowed):
            result = "observe" if step.action == "observe" else "spared"
            self._note(step, Traced(step.name, result, "spared", outcome.detail, seconds))
            return None
        if isinstance(outcome, Hit):
            return self._act(step, outcome, seconds)
        if not isinstance(outcome, Unknown):
            outcome = self._broken(TypeError(f"returned {outcome!r}: expected None, Hit, Unknown, Alias or Spared"))
        trace = self._note(step, Traced(step.name, "unknown", "unknown", outcome.detail, seconds))
        if step.on_unknown == "accept" or step.action == "observe":
            return None
        hit = Hit(f"{step.name.replace('_', '-')}-unknown", outcome.detail, STATE_UNKNOWN.text, status="4.3")
        return _objection(step.name, "defer", hit, hit.text, trace, ())

    def _act(self, step: Step, hit: Hit, seconds: float) -> Decision | None:
        """Do what the admin wants done on a hit; None where it is only noted."""
        action = "observe" if step.action == "observe" else hit.action or step.action
        if hit.temporary and action in ("reject", "hold"):
            action = "defer"
        if action == "hold" and self.query.stage != "rcpt":
            action = "reject"  # there is no recipient yet whose message could be kept, or no more
        trace = self._note(step, Traced(step.name, action, hit.reason, hit.detail, seconds))
        if action == "observe" or action == "off":
            self.ask.observed += (step.name,)
            return None
        text = hit.text if not step.message else fill(step.message, self.query, hit)
        want: tuple[Stage, ...] = ("data",) if action == "hold" else ()
        return _objection(step.name, action, hit, text, trace, want)


async def _decided(decision: Decision) -> Decision:
    return decision


def _covered(exemptions: tuple[Exempt, ...], query: Query) -> str | None:
    for exempt in exemptions:
        why = exempt.match(query)
        if why:
            return why
    return None


def _objection(
    check: str, word: Word, hit: Hit, text: str, trace: tuple[Traced, ...], want: tuple[Stage, ...]
) -> Decision:
    return Decision(word, trace, check, hit.reason, hit.detail, text, hit.sentence or text, hit.status, want)


def fill(template: str, query: Query, hit: Hit) -> str:
    """Fill a `message` template; the config has made sure that it names MESSAGE_FIELDS only."""
    recipient = query.recipient
    return template.format_map(
        {
            "ip": query.ip,
            "host": query.host or "Unknown",
            "helo": query.helo,
            "sender": str(query.sender or ""),
            "recipient": str(recipient or ""),
            "localpart": recipient.localpart if recipient else "",
            "domain": recipient.domain if recipient else "",
            "detail": hit.detail,
            "reason": hit.reason,
        }
    )
