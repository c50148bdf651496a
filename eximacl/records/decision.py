"""A decided query, with all that the records keep of it. Rule: plain values, made once, read by every record."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple, Protocol

from eximacl.mail.address import Address
from eximacl.policy.outcome import Decision, Unknown
from eximacl.policy.query import Query
from eximacl.policy.questions import AnyQuestion
from eximacl.policy.state import Block
from eximacl.protocol.exim import Reply


class AskedQuestion(NamedTuple):
    """One question with its answer. `check` is who asked."""

    check: str
    question: AnyQuestion
    answer: Any

    def as_list(self) -> list[Any]:
        """Return `[check, kind, fields…, answer]`, of plain values only; a field that `repr` leaves out is a secret."""
        fields = [getattr(self.question, field.name) for field in dataclasses.fields(self.question) if field.repr]
        return [self.check, self.question.kind, *fields, _plain(self.answer)]


def _plain(answer: Any) -> Any:
    """Return an answer as values that JSON and msgpack can hold."""
    if isinstance(answer, Unknown):
        return {"unknown": answer.detail}
    if isinstance(answer, Block):
        return {**answer._asdict(), "until": None if math.isinf(answer.until) else answer.until}
    if isinstance(answer, tuple):
        return [_plain(one) for one in answer]
    return answer


class DecisionRecord(NamedTuple):
    """One decided query. `now`: seconds since 1970; `line`: the query's bytes as they came, without newline.

    filename: a held message's in the archive.
    """

    ref: str
    now: float
    line: bytes
    query: Query
    asked: list[AskedQuestion]
    decision: Decision
    reply: Reply
    filename: str = ""

    @property
    def recipients(self) -> tuple[Address, ...]:
        """The recipient that was judged; at DATA all of them; before RCPT none."""
        return (self.query.recipient,) if self.query.recipient else self.query.recipients

    @property
    def domain(self) -> str:
        """The domain of the (first) recipient; empty before RCPT."""
        first = self.query.recipient or next(iter(self.query.recipients), None)
        return first.domain if first else ""


class Record(Protocol):
    """Whoever keeps decisions. It must neither raise nor wait."""

    def __call__(self, judged: DecisionRecord, /) -> None: ...
