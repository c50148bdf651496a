"""The rejection log: one JSON object a line, so that a person can find each refused message again.

It is pure ASCII. Whatever bytes a client sent, they are escaped: none can end a line, forge a key or move a cursor.
The first ten keys and their order never change, since other people's programs read them.
"""

from __future__ import annotations

import json
from collections.abc import Container
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from eximacl.mail.address import quoted
from eximacl.mail.subject import logged_subject
from eximacl.records.appender import Appender, Later
from eximacl.records.decision import DecisionRecord

KEY = "log.rejections"
NO_HOST = "Unknown"

_LINE = (
    '{"time": "%s.%03d+00:00", "from": %s, "helo": %s, "reason": %s, "filename": %s, "subject": %s, "ip": %s, '
    '"message-id": %s, "recipient": %s, "host": %s, '
    '"ref": "%s", "stage": "%s", "check": %s, "verdict": "%s", "domain": %s}\n'
)

# Everything but printable ASCII becomes \\u…, lone surrogates too; DEL is the one that it leaves alone.
_quote = json.encoder.encode_basestring_ascii


def rejection_line(record: DecisionRecord, redact: Container[str] = ()) -> bytes:
    """Return one refusal as a line, newline included. redact: `archive.redact`.

    `from` stands in angle brackets, `<>` for the null sender, and is empty before MAIL. `recipient` is empty before
    RCPT; where DATA was refused it holds all recipients, quoted as in SMTP and joined with `, `. `host` is `Unknown`
    without a reverse name. `reason` is a sentence, `check` the stable slug, `filename` the archived message.
    """
    query, decision = record.query, record.decision
    value = query.values.get
    second, millisecond = divmod(int(query.now * 1000), 1000)
    line = _LINE % (
        _date_and_time(second),
        millisecond,
        _quote(f"<{value('from', '')}>" if query.sender is not None else ""),
        _quote(value("helo", "")),
        _quote(decision.sentence),
        _quote(" ".join(decision.archived)),
        _quote(logged_subject(value("subject", ""), redact)),
        _quote(value("ip", "")),
        _quote(value("message_id", "")),
        _quote(", ".join(map(quoted, record.recipients))),
        _quote(value("host") or NO_HOST),
        record.ref,
        query.stage,
        _quote(decision.reason),
        decision.word,
        _quote(query.domain),
    )
    return line.replace("\x7f", "\\u007f").encode("ascii")


@lru_cache(maxsize=1)
def _date_and_time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class RejectionLog:
    """The rejections file of a running daemon."""

    def __init__(self, path: Path, later: Later | None = None, redact: Container[str] = ()) -> None:
        self.redact = redact
        self.file = Appender(path, key=KEY, later=later, newline=True)

    def write(self, record: DecisionRecord) -> None:
        """Log one refusal."""
        self.file.write(rejection_line(record, self.redact))
