"""From a query's bytes to its reply's bytes: parse, decide, give a reference, count, record.

Rule: the one place that counts and records. The records get a query's own bytes as they came; a dry query
leaves no trace anywhere.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from eximacl.archive.hold import ArchiveResult, held_ref, is_held
from eximacl.daemon.answers import Answers, Network, NoNetwork
from eximacl.policy.drive import Pending, drive
from eximacl.policy.engine import Policy, decide
from eximacl.policy.outcome import Decision, Traced
from eximacl.policy.query import Query
from eximacl.policy.questions import Ask
from eximacl.policy.state import State
from eximacl.protocol.exim import MAX_TEXT_BYTES, ProtocolError, Reply, format_reply, parse_query
from eximacl.records.decision import AskedQuestion, DecisionRecord, Record
from eximacl.system.throttle import Complaints

log = logging.getLogger("eximacl")

_ACCEPT_CODE = 250
_REJECT_CODE = 550
_DEFER_CODE = 451
_CODES = {"accept": _ACCEPT_CODE, "defer": _DEFER_CODE, "reject": _REJECT_CODE, "hold": _REJECT_CODE}


# Keeps the message of a held DATA query (`holding.Keeper.keep`); without one such a query is judged like any other.
Keep = Callable[[Query, float], Awaitable[ArchiveResult]]


class Judge:
    """Judges queries by what it holds at that moment: `policy`, `keep`, `network` may be swapped between queries.

    not_archived: how many held messages could not be kept; last_not_archived: the last one's reference, and why.
    """

    def __init__(
        self,
        policy: Policy,
        state: State,
        *,
        next_ref: Callable[[float], str],
        records: tuple[Record, ...] = (),
        keep: Keep | None = None,
        network: Network | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.policy = policy
        self.keep = keep
        self.network: Network = network or NoNetwork()
        self.state = state
        self.not_archived = 0
        self.last_not_archived = ""
        self.counts = dict.fromkeys(("accept", "defer", "reject", "hold", "error", "dry"), 0)
        self._next_ref = next_ref
        self._records = records
        self._clock = clock
        self._timer = timer
        self._complaints = Complaints(log)

    def judge(self, line: bytes) -> bytes | Awaitable[bytes]:
        """Return the reply to one query, or an awaitable of it when only waiting can tell."""
        try:
            query = parse_query(line)
        except ProtocolError as error:
            return self.refuse(error)
        if is_held(query) and self.keep is not None and not query.dry:
            return self._hold(line, query)
        dry = query.dry
        ask = Ask(self._clock(), query.transaction, self._timer if dry else None)
        answers = Answers(self.state, self.network, ask, dry)
        result = drive(decide(self.policy, query, ask), answers)
        if isinstance(result, Pending):
            return self._finish(result, line, query, ask, answers.asked)
        return self._reply(result, line, query, ask, answers.asked)

    async def _hold(self, line: bytes, query: Query) -> bytes:
        """Refuse a held message, once it is kept; without the archive where it cannot be, which is logged."""
        assert self.keep is not None
        now = self._clock()
        kept = await self.keep(query, now)
        ref = held_ref(query) or self._next_ref(now)
        decision = held_decision(query, kept)
        self.counts[decision.word] += 1
        if kept.problem:
            self.not_archived += 1
            self.last_not_archived = f"{ref}: {kept.problem}"
            log.error("the held message %s is refused without being archived: %s", ref, kept.problem)
        message = query.values.get("held_message", "") or f"5.7.1 {decision.text}"
        text = "archived" if kept.filenames else "not archived"
        reply = Reply("reject", _REJECT_CODE, decision.reason, ref, "", message, f"eximacl: held, {text} (ref {ref})")
        judged = DecisionRecord(ref, now, line, query, [], decision, reply, " ".join(kept.filenames))
        for record in self._records:
            record(judged)
        return format_reply(reply)

    def refuse(self, error: ProtocolError) -> bytes:
        """Return the reply to what is no query. The snippet treats it as a failure of the daemon."""
        self.counts["error"] += 1
        return format_reply(Reply("error", reason=error.reason, message=str(error), log=f"eximacl: {error}"))

    async def _finish(
        self, pending: Pending[Decision], line: bytes, query: Query, ask: Ask, asked: list[AskedQuestion]
    ) -> bytes:
        return self._reply(await pending.finish(), line, query, ask, asked)

    def _reply(self, decision: Decision, line: bytes, query: Query, ask: Ask, asked: list[AskedQuestion]) -> bytes:
        if ask.fault is not None:
            self._complain(decision, ask.fault)
        if ask.clock is not None:  # a dry query
            self.counts["dry"] += 1
            return format_reply(reply_for(decision, "", explain(decision, asked)))
        self.counts[decision.word] += 1
        ref = self._next_ref(ask.now)
        reply = reply_for(decision, ref, held_words(decision) if decision.word == "hold" else None)
        judged = DecisionRecord(ref, ask.now, line, query, asked, decision, reply)
        for record in self._records:
            record(judged)
        return format_reply(reply)

    def _complain(self, decision: Decision, fault: BaseException) -> None:
        """Log a bug in a check, with its traceback; the same check's again after a minute."""
        name = next((line.check for line in decision.trace if line.result == "unknown"), decision.check)
        self._complaints.error(name, f"the check {name} has a bug", fault)


def held_decision(query: Query, kept: ArchiveResult) -> Decision:
    """Return the decision on a held message: `hold` where it is archived, `reject` where it could not be."""
    value = query.values.get
    result = "unknown" if kept.problem else "hold"
    trace = Traced(
        "archive", result, "archived" if kept.filenames else "not-archived", kept.problem or kept.filenames[0]
    )
    return Decision(
        "hold" if kept.filenames else "reject",
        (trace,),
        value("held_check", ""),
        value("held_reason", ""),
        trace.detail,
        "this message is not accepted here",
        value("held_sentence", "") or "Mail not accepted",
        "7.1",
    )


def reply_for(decision: Decision, ref: str, extra: dict[str, Any] | None = None) -> Reply:
    """Put a decision into the words of the wire."""
    word = decision.word
    want = " ".join(decision.want) if decision.want else ""
    if word == "accept":
        return Reply(word, _ACCEPT_CODE, "", ref, want, "", "", extra or {})
    code = _CODES[word]
    suffix = f" (ref {ref})" if ref else ""
    return Reply(
        word,
        code,
        decision.reason,
        ref,
        want,
        cut(f"{code // 100}.{decision.status} {decision.text}", suffix),
        cut(f"eximacl: {decision.check} {decision.reason} {decision.detail}", suffix),
        extra or {},
    )


def held_words(decision: Decision) -> dict[str, str]:
    """Return what a `hold` says about itself, for the snippet to send back with DATA."""
    return {"check": decision.check, "sentence": safe(decision.sentence)}


def safe(text: str) -> str:
    """Return a text without control characters, cut so that an Exim variable and a log line can hold it."""
    return "".join(char if char.isprintable() else " " for char in text[:MAX_TEXT_BYTES])


def cut(text: str, suffix: str) -> str:
    """Return text and suffix, the text as short as it must be for the suffix to get through (`wire.safe_text`)."""
    room = MAX_TEXT_BYTES - len(suffix)
    if len(text) * 4 <= room:
        return text + suffix
    return text.encode("utf-8", "surrogateescape")[:room].decode("utf-8", "ignore") + suffix


def explain(decision: Decision, asked: list[AskedQuestion]) -> dict[str, str]:
    """Return what `eximacl check --explain` prints, as one JSON value for the reply."""
    trace = [line._asdict() for line in decision.trace]
    questions = [one.as_list() for one in asked]
    return {"check": decision.check, "trace": json.dumps(trace), "questions": json.dumps(questions)}
