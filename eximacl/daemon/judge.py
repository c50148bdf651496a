"""From a query to what is decided about it: ask the policy, give a reference, count.

The one place that counts verdicts. It knows no protocol: a front-end parses queries, words the replies and has both
recorded.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from eximacl.archive.hold import held_ref
from eximacl.checks.disposable import CROWDED, DAY_SECONDS
from eximacl.daemon.answers import STATE_SECONDS, Answers, ArchiveCall, Network, NoNetwork, no_archive, within
from eximacl.daemon.sent import Sent, note_sent
from eximacl.policy.drive import Pending, drive
from eximacl.policy.engine import decide
from eximacl.policy.outcome import Decision
from eximacl.policy.plan import Policy
from eximacl.policy.query import Query
from eximacl.policy.questions import AskedQuestion
from eximacl.policy.state import State, StateError
from eximacl.records.decision import Judgement
from eximacl.system.text import printable
from eximacl.system.throttle import Complaints
from eximacl.system.times import zoned

log = logging.getLogger("eximacl")


class Judge:
    """Judges queries by what it holds at that moment: `policy`, `archive`, `network` may be swapped between queries.

    counts: how many queries had each verdict, and how many were dry. new_known: how many senders became known.
    not_archived: how many held messages could not be archived; last_not_archived: the last one's reference, and why.
    state_errors: how many questions the state could not answer; last_state_error: when it last could not (in the time
    of `clock`), and why.
    """

    def __init__(
        self,
        policy: Policy,
        state: State,
        *,
        next_ref: Callable[[float], str],
        archive: ArchiveCall = no_archive,
        network: Network | None = None,
        timer: Callable[[], float] = time.perf_counter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.policy = policy
        self.state = state
        self.archive = archive
        self.network: Network = network or NoNetwork()
        self.not_archived = 0
        self.last_not_archived = ""
        self.state_errors = 0
        self.new_known = 0
        self.last_state_error: tuple[float, str] | None = None
        self._crowded: tuple[float, str] | None = None
        self._clock = clock
        self.counts = dict.fromkeys(("accept", "defer", "reject", "hold", "dry"), 0)
        self._next_ref = next_ref
        self._timer = timer
        self._complaints = Complaints(log)
        self._complain = self._note_state_error  # bound once, not in each query

    def judge(self, query: Query) -> Judgement | Awaitable[Judgement]:
        """Return what is decided about a query, or an awaitable of it where that takes waiting."""
        answers = Answers(self.state, self.network, query, self.archive, self._complain)
        decision = drive(decide(self.policy, query, self._timer if query.dry else None), answers)
        if isinstance(decision, Pending):
            return self._finish(decision, query, answers.asked)
        return self._judged(decision, query, answers.asked)

    async def note(self, sent: Sent) -> None:
        """Note whom one of our users writes to; if the state cannot, nothing else changes."""
        try:
            noting: Awaitable[int] = note_sent(self.policy, self.state, sent)
            new: int = await within(STATE_SECONDS, noting)
            self.new_known += new
        except StateError as error:
            self._note_state_error(str(error))

    async def _finish(self, pending: Pending[Decision], query: Query, asked: list[AskedQuestion]) -> Judgement:
        return self._judged(await pending.finish(), query, asked)

    def _judged(self, decision: Decision, query: Query, asked: list[AskedQuestion]) -> Judgement:
        """Count a decision and give it a reference; a dry one has none."""
        for bug in decision.bugs:
            self._complaints.error(bug.check, f"the check {bug.check} has a bug", bug.error)
        if query.dry:
            self.counts["dry"] += 1
            return Judgement("", query, decision, asked)
        self.counts[decision.word] += 1
        if decision.reason == CROWDED:
            self._crowded = self._clock(), str(query.recipient)
        if query.stage == "data" and query.is_held:
            ref = held_ref(query) or self._next_ref(query.now)
            if not decision.archived:
                self._note_not_archived(ref, decision.detail)
        else:
            ref = self._next_ref(query.now)
        return Judgement(ref, query, decision, asked)

    def crowding(self) -> list[str]:
        """Return a line for `eximacl status` if new disposable addresses were put off within a day, since too many came
        into use, or the state has all that it may have."""
        if self._crowded is None or self._crowded[0] < self._clock() - DAY_SECONDS:
            return []
        when, address = self._crowded
        cure = "see new_addresses and sign in docs/checks/disposable.md, and eximacl disposable list"
        return [f"too many new disposable addresses: mail to {printable(address)} was put off at {zoned(when)}; {cure}"]

    def _note_state_error(self, problem: str) -> None:
        """Checks that need the state now do what their `on_unknown` says, so an admin must hear of it."""
        self.state_errors += 1
        self.last_state_error = self._clock(), problem
        self._complaints.error("state", f"the state could not answer a question: {problem}")

    def _note_not_archived(self, ref: str, problem: str) -> None:
        self.not_archived += 1
        self.last_not_archived = f"{ref}: {problem}"
        log.error("the held message %s is refused without being archived: %s", ref, problem)
