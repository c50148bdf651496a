"""A decided query, with all that the records keep of it: plain values, made once, read by every record."""

from __future__ import annotations

from typing import NamedTuple

from eximacl.mail.address import Address
from eximacl.policy.outcome import Decision
from eximacl.policy.query import Query
from eximacl.policy.questions import AskedQuestion


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
