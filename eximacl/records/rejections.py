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
from typing import Any

from eximacl.mail.address import quoted
from eximacl.mail.subject import logged_subject
from eximacl.records.appender import Appender, Later
from eximacl.records.decision import DecisionRecord
from eximacl.records.room import BYTES_PER_MB, Bounds, cut_text
from eximacl.system.text import as_json

KEY = "log.rejections"
NO_HOST = "Unknown"

# A line of ordinary values has some 400 bytes. What a client may choose is bounded by Exim's own limits; a message may
# have 50,000 recipients, and another client than Exim may send anything.
LONG_BYTES = 4096
# RFC 5321 allows a domain 255 and a path 256 octets (section 4.5.3.1); a header line has at most 998 (RFC 5322).
TEXT_CHARACTERS_MAX = 1000
# Of all recipients of a message. A person finds it by one of the first, by its sender, or by its reference.
RECIPIENTS_CHARACTERS_MAX = 4000

_KEYS = (
    "from", "helo", "reason", "filename", "subject", "ip", "message-id", "recipient", "host",
    "ref", "stage", "check", "verdict", "domain",
)  # fmt: skip
# Names of files, of which there are few, and what has a bound of its own.
_NEVER_CUT = frozenset(("filename", "recipient"))
_LINE = '{"time": "%s.%03d+00:00", ' + ", ".join(f'"{key}": %s' for key in _KEYS) + "}\n"

# Everything but printable ASCII becomes \\u…; DEL is the one that it leaves alone.
_quote = json.encoder.encode_basestring_ascii


def rejection_line(record: DecisionRecord, redact: Container[str] = ()) -> bytes:
    """Return one refusal as a line, newline included. redact: `archive.redact`.

    `from` stands in angle brackets, `<>` for the null sender, and is empty before MAIL. `recipient` is empty before
    RCPT; where DATA was refused it holds all recipients, quoted as in SMTP and joined with `, `. `host` is `Unknown`
    without a reverse name. `reason` is a sentence, `check` the stable slug, `filename` the archived message.

    A line that is too long has its texts cut, and bytes that are not UTF-8 are replaced (see `_whole`).
    """
    recipients, more = _recipients_of(record)
    values = _values_of(record, redact, recipients)
    second, millisecond = divmod(int(record.query.now * 1000), 1000)
    line = _LINE % (_date_and_time(second), millisecond, *map(_quote, values))
    if more or len(line) > LONG_BYTES or "\\ud" in line:
        time = f"{_date_and_time(second)}.{millisecond:03}+00:00"
        line = _whole({"time": time, **dict(zip(_KEYS, values, strict=True))}, more)
    return line.replace("\x7f", "\\u007f").encode("ascii")


def _values_of(record: DecisionRecord, redact: Container[str], recipients: str) -> tuple[str, ...]:
    """Return a line's values, after the time."""
    query, decision = record.query, record.decision
    value = query.values.get
    return (
        f"<{value('from', '')}>" if query.sender is not None else "",
        value("helo", ""),
        decision.sentence,
        " ".join(decision.archived),
        logged_subject(value("subject", ""), redact),
        value("ip", ""),
        value("message_id", ""),
        recipients,
        value("host") or NO_HOST,
        record.ref,
        query.stage,
        decision.reason,
        decision.word,
        query.domain,
    )


def _recipients_of(record: DecisionRecord) -> tuple[str, int]:
    """Return the recipients as a line names them, and how many there are if these are not all; else 0."""
    found = record.recipients
    if not found:
        return "", 0
    text = cut_text(quoted(found[0]), TEXT_CHARACTERS_MAX)
    for recipient in found[1:]:
        longer = f"{text}, {quoted(recipient)}"
        if len(longer) > RECIPIENTS_CHARACTERS_MAX:
            return text, len(found)
        text = longer
    return text, 0


def _whole(entry: dict[str, Any], recipients: int) -> str:
    """Return a line that is out of the ordinary.

    A text that is too long is cut. A text that is not UTF-8 has U+FFFD for each such byte, and its bytes stand in
    `raw`. Where not all recipients are named, `recipients` says how many there are.
    """
    cut = {key: text if key in _NEVER_CUT else cut_text(text, TEXT_CHARACTERS_MAX) for key, text in entry.items()}
    return as_json({**cut, "recipients": recipients} if recipients else cut) + "\n"


@lru_cache(maxsize=1)
def _date_and_time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def bounds_of(max_mb: int, free_mb: int) -> Bounds:
    """Return the bounds of the log as its settings want them."""
    most, free = max_mb * BYTES_PER_MB, free_mb * BYTES_PER_MB
    return Bounds(most, f"log.max_mb = {max_mb}", "log.max_mb", free, f"log.free_mb = {free_mb}")


class RejectionLog:
    """The rejections file of a running daemon."""

    def __init__(
        self, path: Path, later: Later | None = None, redact: Container[str] = (), bounds: Bounds | None = None
    ) -> None:
        self.redact = redact
        self.file = Appender(path, key=KEY, later=later, newline=True, bounds=bounds)

    def write(self, record: DecisionRecord) -> None:
        """Log one refusal."""
        self.file.write(rejection_line(record, self.redact))
