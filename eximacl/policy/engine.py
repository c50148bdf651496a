"""The policy: which checks run in which order for which domain, and what their outcomes lead to.

The first hit whose action is not `observe` decides; exemptions come before all checks; every outcome goes into the
trace. An exemption spares from the verdict, never from understanding: a check that resolves names does so all the same,
so that the checks after it judge the mailbox that a name stands for. No I/O, no clock and no event loop: `decide` is a
coroutine that awaits nothing but questions, and whoever drives it has the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from eximacl.policy.at_data import PAUSE_RECIPIENTS, Remaining, Trail
from eximacl.policy.known import known_sender
from eximacl.policy.message import fill
from eximacl.policy.outcome import (
    Alias,
    Allowed,
    AtData,
    Bug,
    CountFate,
    Decision,
    Delayed,
    Hit,
    Outcome,
    Reserve,
    Traced,
    Unknown,
    Word,
)
from eximacl.policy.plan import DomainPolicy, Policy, Step, Turn, covered
from eximacl.policy.query import Query, Stage
from eximacl.policy.questions import (
    AnyRequest,
    ArchiveMessage,
    Ask,
    CommitSlots,
    Pause,
    PeekSlot,
    ReleaseSlots,
    Request,
    ReserveSlot,
)

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
NO_TRANSACTION = Unknown("the query names no transaction (tx=), so the message cannot be counted")
# Exim asks about these once a slot is reserved.
END_TOO: tuple[Stage, ...] = ("data", "end")
# The policy's own steps, as the records name them.
TRANSACTION = Ask("transaction")
ARCHIVE = Ask("archive")


def decide(
    policy: Policy, query: Query, timer: Callable[[], float] | None = None
) -> Coroutine[AnyRequest, Any, Decision]:
    """Decide one query, when awaited. timer: a running clock in seconds, by which each check is timed.

    Raises nothing: what a check raises stands in the decision's `bugs`.
    """
    if query.stage == "rcpt" and query.recipient is not None:
        return _Evaluation(policy.for_domain(query.recipient.domain), query, timer).decide()
    if query.stage == "data":
        return _decide_held(query) if query.is_held and not query.dry else _decide_data(policy, query, timer)
    if query.stage == "end":
        return _decide_end(query)
    return _Evaluation(policy.early, query, timer).decide()


async def _decide_end(query: Query) -> Decision:
    """The message was not accepted in the end: give its slots back."""
    released = await Request(ReleaseSlots(query.transaction), TRANSACTION)
    if isinstance(released, Unknown):
        return Decision("accept", (Traced(TRANSACTION.check, "unknown", "unknown", released.detail),))
    return Decision("accept", (Traced(TRANSACTION.check, "pass", "released", str(released)),))


async def _decide_held(query: Query) -> Decision:
    """Refuse a message whose recipients were held, once it is archived; `reject` where it could not be.

    Why it is held comes with the query, in the words that the decision at RCPT had: nothing remembers them meanwhile.
    """
    value = query.values.get
    archived = await Request(ArchiveMessage(query), ARCHIVE)
    word: Word = "hold"
    if isinstance(archived, Unknown):
        word, line, archived = "reject", Traced(ARCHIVE.check, "unknown", "not-archived", archived.detail), ()
    else:
        line = Traced(ARCHIVE.check, "hold", "archived", archived[0])
    return Decision(
        word,
        (line,),
        check=value("held_check", ""),
        reason=value("held_reason", ""),
        detail=line.detail,
        text="this message is not accepted here",
        sentence=value("held_sentence", "") or "Mail not accepted",
        status="7.1",
        archived=archived,
    )


async def _decide_data(policy: Policy, query: Query, timer: Callable[[], float] | None) -> Decision:
    """Judge DATA for each recipient; then settle the transaction's slots: one message, one fate."""
    remaining, trail, judged = Remaining(policy), Trail(), 0
    for recipient in query.recipients:
        left = remaining.at(recipient.domain)
        if left is None:
            continue
        plan, turns = left
        judged += 1
        if judged % PAUSE_RECIPIENTS == 0:
            await Request(Pause(), TRANSACTION)
        decision = await _Evaluation(plan, query.for_recipient(recipient), timer).decide(turns)
        if decision.word != "accept":
            if query.reserved:
                await Request(ReleaseSlots(query.transaction), TRANSACTION)
            return decision._replace(trace=trail.ending(*decision.trace), bugs=(*trail.bugs, *decision.bugs))
        trail.add(decision)
        remaining.note(plan, decision)
    if not query.reserved:
        return Decision("accept", trail.ending(), bugs=trail.bugs, delayed=trail.delayed)
    settled = await Request(CommitSlots(query.transaction), TRANSACTION)
    name = TRANSACTION.check
    if settled == "committed":
        committed = Traced(name, "pass", "committed")
        return Decision("accept", trail.ending(committed), bugs=trail.bugs, delayed=trail.delayed)
    hit = LOST_PLACE if settled == "lost" else STATE_UNKNOWN
    return _objection(name, "defer", hit, hit.text, trail.ending(Traced(name, "defer", *hit[:2])), trail.bugs)


class _Evaluation:
    """One pass of one domain's policy over one query. Short-lived.

    trace: made when a step does more than pass. observed: the checks that had a hit under `observe` so far.
    known: the known sender, empty for another, None before it was asked. fates: what is counted once the recipient's
    fate is known. reservations: the slots to reserve once nothing else objected, each with the step that needs it.
    label, delayed: see `Decision`. left: the turns that remain, where a step has just spared the message from others.
    unresolved: whether a step that resolves names could not find out.
    """

    __slots__ = (
        "bugs", "delayed", "fates", "known", "label", "left", "observed", "plan", "policy", "query", "reservations",
        "reserved", "timer", "trace", "unresolved", "wants_data",
    )  # fmt: skip

    def __init__(self, policy: DomainPolicy | None, query: Query, timer: Callable[[], float] | None) -> None:
        self.policy = policy
        self.query = query
        self.timer = timer
        self.trace: list[Traced] | None = None
        self.observed: tuple[str, ...] = ()
        self.fates: tuple[tuple[Ask, CountFate], ...] = ()
        self.reservations: tuple[tuple[Step, Ask, Reserve], ...] = ()
        self.left: tuple[Turn, ...] | None = None
        self.unresolved = False
        self.reserved = False
        self.label = ""
        self.delayed = ""
        self.known: str | None = None
        self.wants_data = False
        self.bugs: tuple[Bug, ...] = ()

    def decide(self, turns: tuple[Turn, ...] | None = None) -> Coroutine[AnyRequest, Any, Decision]:
        """Judge the query; turns: only these of the stage's."""
        if self.policy is None:
            return _decided(NOT_OURS)
        if self.policy.separators != self.query.separators:
            self.query = self.query._replace(separators=self.policy.separators)
        why = covered(self.policy.exempt, self.query)
        if why:
            return _decided(Decision("accept", (Traced("policy", "exempt", "exempt", why),)))
        self.plan = plan = self.policy.stages[self.query.stage]
        return self._run(self.policy, plan.turns if turns is None else turns)

    async def _run(self, policy: DomainPolicy, turns: tuple[Turn, ...]) -> Decision:
        """Take one step after the other, until one objects or allows the message."""
        plan, timer = self.plan, self.timer
        for step, ask, silent in turns:
            if step.spares and not silent and (self._exempted(step) or (step.spare_known and await self._known(step))):
                if not step.resolves:
                    continue
                silent = True
            if self.observed and step.listens_to:
                ask = ask._replace(observed=self.observed)
            started = timer() if timer else 0.0
            try:
                outcome = await step.run(self.query, step.options, ask)
            except (Exception, SystemExit) as error:
                outcome = self._broken(step, error)
            # Nearly every step passes without a word. The trace is not even begun until one has something to say.
            if outcome is None and timer is None and not silent:
                if self.trace is not None:
                    self.trace.append(step.passed)
                continue
            seconds = timer() - started if timer else 0.0
            decision = (self._understand if silent else self._judge)(step, ask, outcome, seconds)
            if not silent and isinstance(outcome, Alias | Reserve):
                decision = await self._want_slot(step, ask, outcome)
            if decision is not None or self.left is not None:
                return await self._conclude(policy, decision)
        return plan.accepted if self.trace is None else await self._conclude(policy, None)

    async def _conclude(self, policy: DomainPolicy, decision: Decision | None) -> Decision:
        """Take the turns that are left where a step has spared the message from others; then accept if none objects."""
        if decision is None and self.left is not None:
            left, self.left = self.left, None
            return await self._run(policy, left)
        if decision is None:
            decision = await self._finish(policy)
        elif self.reserved:
            decision = decision._replace(want=END_TOO)
        return await self._count_fates(decision) if self.fates else decision

    async def _count_fates(self, decision: Decision) -> Decision:
        """Count what became of the recipient; that a state cannot count it changes nothing."""
        final = decision.word == "reject" or decision.word == "hold"
        for ask, fate in self.fates:
            refused = (final and decision.check in fate.by) or (
                ask.action == "observe" and any(name in fate.by for name in self.observed)
            )
            if refused or decision.word == "accept":
                await self._count_one(ask, fate, refused)
        return decision

    async def _count_one(self, ask: Ask, fate: CountFate, refused: bool) -> None:
        """Count a recipient, unless it counts often enough already, so that one name does not stand for many."""
        query = self.query
        key, name, most = fate.accepted, f"{query.owner}@{query.domain}", fate.each
        if refused:
            key, name, most = fate.refused, str(query.recipient), 1
        one = f"{key}:{name}".lower()
        counted = await ask.count_events(one, fate.window)
        if not isinstance(counted, Unknown) and counted < most:
            await ask.count_event(one, fate.window, most)
            await ask.count_event(key, fate.window, fate.most)

    async def _finish(self, policy: DomainPolicy) -> Decision:
        """Nothing objected: reserve what was asked for, then accept. What is reserved must be settled in any case."""
        decision = await self._reserve_all()
        want: tuple[Stage, ...] = END_TOO if self.reserved else ("data",) if self.wants_data else policy.later
        if decision is not None:
            return decision._replace(want=want) if self.reserved else decision
        trace = self.plan.passed if self.trace is None else tuple(self.trace)
        wanted = want if self.query.stage == "rcpt" else ()
        return Decision("accept", trace, want=wanted, bugs=self.bugs, label=self.label, delayed=self.delayed)

    async def _want_slot(self, step: Step, ask: Ask, wanted: Alias | Reserve) -> Decision | None:
        """Keep for the end which slot a step needs; object at once where there will never be one.

        The steps after this one then neither count nor greylist a message that cannot be accepted. What time may cure
        is left to the end, since a later step may refuse the message for good.
        """
        needed = wanted.reserve if isinstance(wanted, Alias) else wanted
        if needed is None:
            return None
        place = await Request(PeekSlot(needed.key, needed.limit, self.query.transaction, needed.terms), ask)
        if isinstance(place, Unknown) or place.slot == "reserved" or needed.objection(place).temporary:
            self.reservations += ((step, ask, needed),)
            return None
        return await self._take_slot(step, ask, needed)  # which also notes that the address still gets mail

    async def _reserve_all(self) -> Decision | None:
        """Reserve each slot that a step needs; return the objection where there is none for it."""
        for step, ask, needed in self.reservations:
            decision = await self._take_slot(step, ask, needed)
            if decision is not None:
                return decision
        return None

    async def _take_slot(self, step: Step, ask: Ask, needed: Reserve) -> Decision | None:
        started = self.timer() if self.timer else 0.0
        outcome = await self._reserve(ask, needed)
        return self._judge(step, ask, outcome, self.timer() - started if self.timer else 0.0)

    async def _reserve(self, ask: Ask, needed: Reserve) -> Hit | Unknown | None:
        transaction = self.query.transaction
        if not transaction and not self.query.dry:
            return NO_TRANSACTION
        key, limit, objection, terms = needed
        place = await Request(ReserveSlot(key, limit, transaction, terms), ask)
        if isinstance(place, Unknown):
            return place
        if place.slot != "reserved":
            return objection(place)
        self.reserved = True
        if terms.owner and not terms.day:
            self.label = f"{place.number} of {place.limit}"
        return None

    def _broken(self, step: Step, error: BaseException) -> Unknown:
        """A bug in one check is that check's Unknown: the others go on, and the bug is reported with the decision."""
        self.bugs += (Bug(step.name, error),)
        return Unknown(f"a bug in this check: {type(error).__name__}: {error}")

    def _exempted(self, step: Step) -> bool:
        why = covered(step.exempt, self.query)
        if why:
            self._note(step, Traced(step.name, "exempt", "exempt", why))
        return bool(why)

    async def _known(self, step: Step) -> bool:
        """Whether a user at the recipient's domain has written to the sender."""
        if self.known is None:
            self.known = await known_sender(self.query)
        if self.known:
            self._note(step, Traced(step.name, "exempt", "known-sender", self.known))
        return bool(self.known)

    def _note(self, step: Step, line: Traced) -> tuple[Traced, ...]:
        """Add a line about this step to the trace, and return the trace so far."""
        if self.trace is None:
            self.trace = self.plan.before(step)
        self.trace.append(line)
        return tuple(self.trace)

    def _judge(self, step: Step, ask: Ask, outcome: Outcome, seconds: float) -> Decision | None:
        """Turn an outcome into a decision, or into a line of the trace."""
        if isinstance(outcome, Hit):
            return self._act(step, outcome, seconds)
        if isinstance(outcome, Allowed):
            result = "observe" if step.action == "observe" else "spared"
            if result == "spared":
                self.left = self.plan.after_allowed(step)
            self._note(step, Traced(step.name, result, "spared", outcome.detail, seconds))
            return None
        if isinstance(outcome, Alias):
            self._rename(step, outcome, seconds)
            return None
        if outcome is None or isinstance(outcome, AtData | CountFate | Delayed | Reserve):
            self._pass(step, ask, outcome, seconds)
            return None
        if not isinstance(outcome, Unknown):
            outcome = self._broken(step, TypeError(f"returned {outcome!r}, which is not an outcome"))
        return self._doubt(step, outcome, seconds)

    def _pass(
        self, step: Step, ask: Ask, outcome: AtData | CountFate | Delayed | Reserve | None, seconds: float
    ) -> None:
        """Keep what a step without an objection wants besides."""
        if isinstance(outcome, Delayed):
            self.delayed = "" if step.action == "observe" else str(outcome)
            self._note(step, Traced(step.name, "pass", "delayed", str(outcome), seconds))
            return
        self._note(step, Traced(step.name, "pass", seconds=seconds))
        if isinstance(outcome, CountFate):
            self.fates += ((ask, outcome),)
        self.wants_data = self.wants_data or isinstance(outcome, AtData)

    def _understand(self, step: Step, _ask: Ask, outcome: Outcome, seconds: float) -> None:
        """Take from a step that has no say only whom the recipient's name stands for."""
        alias = outcome.stands_for if isinstance(outcome, Hit) else outcome
        if isinstance(alias, Alias):
            self._rename(step, alias, seconds)
        elif isinstance(alias, Unknown):
            self._note(step, Traced(step.name, "unknown", "unknown", alias.detail, seconds))
            self.unresolved = True

    def _rename(self, step: Step, alias: Alias, seconds: float = 0.0) -> None:
        """Have the steps after this one judge the mailbox that the recipient's name stands for.

        If that mailbox is exempt, no step is left; but a slot that the name needs is reserved all the same.
        """
        self._note(step, Traced(step.name, "alias", "alias", alias.address or alias.mailbox, seconds))
        self.query = self.query.judged_as(alias.mailbox, elsewhere=alias.address != "")
        self.label = alias.label
        why = covered(self.policy.exempt, self.query) if self.policy else None
        if why and self.trace is not None:
            self.trace.append(Traced("policy", "exempt", "exempt", why))
            self.left = ()

    def _doubt(self, step: Step, unknown: Unknown, seconds: float) -> Decision | None:
        """Do what the admin wants done where a check could not find out."""
        trace = self._note(step, Traced(step.name, "unknown", "unknown", unknown.detail, seconds))
        self.unresolved = self.unresolved or step.resolves
        if step.on_unknown == "accept" or step.action == "observe":
            return None
        hit = Hit(f"{step.name.replace('_', '-')}-unknown", unknown.detail, STATE_UNKNOWN.text, status="4.3")
        return _objection(step.name, "defer", hit, hit.text, trace, self.bugs)

    def _act(self, step: Step, hit: Hit, seconds: float) -> Decision | None:
        """Do what the admin wants done on a hit; None where it is only noted."""
        action = "observe" if step.action == "observe" else hit.action or step.action
        if (hit.temporary or self.unresolved) and action in ("reject", "drop", "hold"):
            action = "defer"
        if action == "hold" and self.query.stage != "rcpt":
            action = "reject"  # there is no recipient yet whose message could be archived, or it is too late
        trace = self._note(step, Traced(step.name, action, hit.reason, hit.detail, seconds))
        if action == "observe" or action == "off":
            self.observed += (step.name,)
            if hit.stands_for is not None:
                self._rename(step, hit.stands_for)
            return None
        text = hit.text if not step.message else fill(step.message, self.query, hit)
        want: tuple[Stage, ...] = ("data",) if action == "hold" else ()
        if action == "drop":
            return _objection(step.name, "reject", hit, text, trace, self.bugs)._replace(closes=True)
        return _objection(step.name, action, hit, text, trace, self.bugs, want)


async def _decided(decision: Decision) -> Decision:
    return decision


def _objection(
    check: str,
    word: Word,
    hit: Hit,
    text: str,
    trace: tuple[Traced, ...],
    bugs: tuple[Bug, ...],
    want: tuple[Stage, ...] = (),
) -> Decision:
    sentence = hit.sentence or text
    return Decision(word, trace, check, hit.reason, hit.detail, text, sentence, hit.status, want, (), bugs)
