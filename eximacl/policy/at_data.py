"""A message at DATA, which is judged for each of its recipients: there may be 50,000.

So whatever grows with them is bounded, what judges the message as a whole runs once, and other queries get their turn
in between.
"""

from __future__ import annotations

from eximacl.policy.outcome import Bug, Decision, Traced
from eximacl.policy.plan import DomainPolicy, Policy, Step, Turn

# After so many recipients other queries get their turn. Some steps that ask the state take 50 µs each, so these take
# some milliseconds.
PAUSE_RECIPIENTS = 50
# A person reads the lines about one recipient, or finds out that it is the same with all. A line has 100 bytes.
TRACE_LINES_MAX = 1000
CUT = "cut"


class Remaining:
    """What is left to be judged for a recipient at a domain: a step that judges the message as a whole runs once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._done: set[Step] = set()
        self._known: dict[str, tuple[DomainPolicy, tuple[Turn, ...]] | None] = {}

    def at(self, domain: str) -> tuple[DomainPolicy, tuple[Turn, ...]] | None:
        """Return the policy of a domain and the turns that are left; None where none is."""
        if domain not in self._known:
            self._known[domain] = self._find(domain)
        return self._known[domain]

    def note(self, plan: DomainPolicy, decision: Decision) -> None:
        """Note which steps have had their one run in this decision, and are not needed any more."""
        # What other checks found, which one of these may listen to, differs from one recipient to the next.
        whole = [step for step in plan.steps("data") if step.once and not step.listens_to and step not in self._done]
        ran = {line.check for line in decision.trace if line.result != "exempt"} if whole else ()
        done = [step for step in whole if step.name in ran]
        if done:
            self._done.update(done)
            self._known.clear()

    def _find(self, domain: str) -> tuple[DomainPolicy, tuple[Turn, ...]] | None:
        plan = self._policy.for_domain(domain)
        if plan is None:
            return None
        turns = plan.stages["data"].turns
        left = tuple(turn for turn in turns if turn[0] not in self._done)
        # Others run only for those that listen to them.
        own = any("data" in step.stages and not silent for step, _, silent in left)
        return (plan, left) if own else None


class Trail:
    """The trace and the bugs of all recipients together: at most TRACE_LINES_MAX lines, and one bug for each check.

    delayed: the longest that the message has waited for one of them (see `Decision`).
    """

    def __init__(self) -> None:
        self._lines: list[Traced] = []
        self._left_out = 0
        self._bugs: dict[str, Bug] = {}
        self.delayed = ""

    def add(self, decision: Decision) -> None:
        """Add what was found for one recipient."""
        room = TRACE_LINES_MAX - len(self._lines)
        self._lines += decision.trace[:room]
        self._left_out += max(0, len(decision.trace) - room)
        self.delayed = max(self.delayed, decision.delayed)
        for bug in decision.bugs:
            self._bugs.setdefault(bug.check, bug)

    def ending(self, *last: Traced) -> tuple[Traced, ...]:
        """Return the trace with these last lines, which are never left out."""
        if not self._left_out:
            return (*self._lines, *last)
        cut = Traced("policy", "pass", CUT, f"{self._left_out} lines about other recipients are left out")
        return (*self._lines, cut, *last)

    @property
    def bugs(self) -> tuple[Bug, ...]:
        """The first bug of each check."""
        return tuple(self._bugs.values())
