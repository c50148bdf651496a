"""The rejection log: one JSON object a line (DESIGN 8), so that a person can find each refused mail again.

Rule: pure ASCII. Whatever bytes a client sent, they are escaped: none can end a line, forge a key or move a cursor.
The first ten keys and their order never change, since others' programs read them.
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


def rejection_line(judged: DecisionRecord, redact: Container[str] = ()) -> bytes:
    """Write one refusal as a line, newline included. `redact`: archive.redact.

    `from` stands in angle brackets, `<>` for the null sender, and is empty before MAIL; `recipient` is empty before
    RCPT, and holds all recipients when it was DATA that was refused: quoted as in SMTP and joined with `, `. `host` is
    `Unknown` without a reverse name. `reason` is a sentence, `check` the stable slug, `filename` the archived message.
    """
    query, decision = judged.query, judged.decision
    value = query.values.get
    second, millisecond = divmod(int(judged.now * 1000), 1000)
    line = _LINE % (
        _date_and_time(second),
        millisecond,
        _quote(f"<{value('from', '')}>" if query.sender is not None else ""),
        _quote(value("helo", "")),
        _quote(decision.sentence),
        _quote(judged.filename),
        _quote(logged_subject(value("subject", ""), redact)),
        _quote(value("ip", "")),
        _quote(value("message_id", "")),
        _quote(", ".join(map(quoted, judged.recipients))),
        _quote(value("host") or NO_HOST),
        judged.ref,
        query.stage,
        _quote(decision.reason),
        decision.word,
        _quote(judged.domain),
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

    def record(self, judged: DecisionRecord) -> None:
        """Log a reject, a defer, and a held message; an accept is no rejection, and a hold at RCPT not yet one."""
        if judged.decision.word != "accept" and (judged.decision.word != "hold" or judged.query.stage == "data"):
            self.file.write(rejection_line(judged, self.redact))
