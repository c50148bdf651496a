"""Exim's front-end: a query's bytes in, its reply's bytes out, and a record of both for each that is judged.

Another mail server's would stand beside it: it parses into the same `Query`, asks the same `Judge`, and has its own
parser in `eximacl.protocol` by which its records are read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable

from eximacl.daemon.judge import Judge
from eximacl.daemon.limits import Slow
from eximacl.daemon.sent import Sent
from eximacl.policy.outcome import Decision
from eximacl.policy.questions import AskedQuestion
from eximacl.protocol.exim import (
    CODES,
    NAME,
    SENT,
    ProtocolError,
    Reply,
    error_reply,
    format_reply,
    held_reply,
    parse_query,
    parse_sent,
    reply_for,
)
from eximacl.records.decision import DecisionRecord, Judgement

_SENT = f"{SENT} ".encode()
_NOTED = format_reply(Reply("accept", CODES["accept"]))


def _unrecorded(_record: DecisionRecord) -> None:
    pass


class EximFrontEnd:
    """Answers Exim's queries by a judge. errors: how many lines were not queries.

    record: given each decision, dry ones too (see `Recorder.record`). It must neither raise nor wait.
    """

    def __init__(
        self,
        judge: Judge,
        record: Callable[[DecisionRecord], None] = _unrecorded,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.errors = 0
        self._clock = clock
        self._judge = judge.judge
        self._note = judge.note
        self._record = record

    def handle(self, line: bytes) -> bytes | Awaitable[bytes]:
        """Return the reply to one query, or an awaitable of it where that takes waiting. `line` has no newline."""
        if line.startswith(_SENT):
            return self._note_sent(line)
        try:
            query = parse_query(line, self._clock())
        except ProtocolError as error:
            return self.refuse(error)
        judgement = self._judge(query)
        if isinstance(judgement, Judgement):
            return self._reply(line, judgement)
        later = self._later(line, judgement)
        return Slow(later) if query.is_held and query.stage == "data" else later

    def refuse(self, error: ProtocolError) -> bytes:
        """Return the reply to what is not a query. The snippet treats it as a failure of the daemon."""
        self.errors += 1
        return format_reply(error_reply(error))

    async def _note_sent(self, line: bytes) -> bytes:
        """Note whom a user writes to. It is not a decision: nothing is counted or recorded."""
        try:
            await self._note(Sent(*parse_sent(line), self._clock()))
        except ProtocolError as error:
            return self.refuse(error)
        return _NOTED

    async def _later(self, line: bytes, judgement: Awaitable[Judgement]) -> bytes:
        return self._reply(line, await judgement)

    def _reply(self, line: bytes, judgement: Judgement) -> bytes:
        ref, query, decision, asked = judgement
        special = query.dry or query.stage == "data"
        reply = _worded(judgement) if special else reply_for(decision, ref)
        data = format_reply(reply)
        self._record(DecisionRecord(ref, NAME, line, query, asked, decision, reply.code, reply.message, reply.log))
        return data


def _worded(judgement: Judgement) -> Reply:
    """Return what Exim is told."""
    decision = judgement.decision
    if judgement.query.dry:
        return reply_for(decision, "", explain(decision, judgement.asked))
    if judgement.query.stage == "data" and judgement.query.is_held:
        return held_reply(judgement.query, decision, judgement.ref)
    return reply_for(decision, judgement.ref)


def explain(decision: Decision, asked: list[AskedQuestion]) -> dict[str, str]:
    """Return what `eximacl check --explain` prints, each as one JSON value for the reply."""
    trace = [line._asdict() for line in decision.trace]
    questions = [one.as_list() for one in asked]
    return {"check": decision.check, "trace": json.dumps(trace), "questions": json.dumps(questions)}
