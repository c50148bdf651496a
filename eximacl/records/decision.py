"""A decided query, with all that the records keep of it: plain values, made once, read by every record."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from typing import Any, NamedTuple

from eximacl.mail.address import Address
from eximacl.policy.outcome import Decision, Unknown
from eximacl.policy.query import Query
from eximacl.policy.questions import AnyQuestion
from eximacl.policy.state import Block


class AskedQuestion(NamedTuple):
    """One question with its answer. `check` is who asked."""

    check: str
    question: AnyQuestion
    answer: Any

    def as_list(self) -> list[Any]:
        """Return `[check, kind, fields…, answer]`, of plain values only."""
        check, question, answer = self
        kind: Any = type(question)
        fields = [getattr(question, name) for name in _recorded(kind)]
        return [check, question.kind, *fields, _plain(answer)]


@cache
def _recorded(kind: Any) -> tuple[str, ...]:
    """Return the names of the fields of a question's class, without what `repr` leaves out: secrets, whole queries."""
    return tuple(field.name for field in dataclasses.fields(kind) if field.repr)


def _plain(answer: Any) -> Any:
    """Return an answer as values that JSON and msgpack can hold."""
    if isinstance(answer, Unknown):
        return {"unknown": answer.detail}
    if isinstance(answer, Block):
        return {**answer._asdict(), "until": None if math.isinf(answer.until) else answer.until}
    if isinstance(answer, tuple):
        return [_plain(one) for one in answer]
    return answer


class Judgement(NamedTuple):
    """What the judge says about a query. ref: the decision's reference, empty for a dry query."""

    ref: str
    query: Query
    decision: Decision
    asked: list[AskedQuestion]


class DecisionRecord(NamedTuple):
    """One decision, with the query that it is about and the reply that it became.

    protocol: by which the query came (see `eximacl.protocol.codecs`); line: its bytes as they came, without newline.
    code, message: what the client is told, an SMTP code and its text; log: the text for the mail server's own log.
    """

    ref: str
    protocol: str
    line: bytes
    query: Query
    asked: list[AskedQuestion]
    decision: Decision
    code: int
    message: str
    log: str

    @property
    def recipients(self) -> tuple[Address, ...]:
        """The recipient that was judged; at DATA all of them; before RCPT none."""
        return (self.query.recipient,) if self.query.recipient else self.query.recipients

    @property
    def domain(self) -> str:
        """The domain of the (first) recipient; empty before RCPT."""
        first = self.query.recipient or next(iter(self.query.recipients), None)
        return first.domain if first else ""
