"""The envelope of an archived message: who sent it to whom, why it was held, and whether it was released. Pure.

It is a JSON object in ASCII, so that no byte from a client reaches a terminal. An envelope that is not whole is an
error that says what is wrong with it, never a half-filled value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from eximacl.system.text import valid_json, with_bytes
from eximacl.system.times import parse_instant

# More than any file system holds, but such numbers can still be added and shown.
MAX_SIZE = 2**63 - 1

ReleaseState = Literal["sent", "sending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseNote:
    """One release: when (seconds since 1970), to whom, and by which user.

    state: `sending` before Exim has the message, which remains where the release was interrupted; then `sent`.
    """

    time: float
    recipients: tuple[str, ...]
    by: str = ""
    state: ReleaseState = "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is known of an archived message.

    Addresses are as SMTP writes them (`address.quoted`). ref: the reference in the reply to the sender. time: seconds
    since 1970. sender: empty for the null sender. recipients: the held ones in this domain. host: empty without a
    reverse name. reason: the slug; check: which one objected; sentence: why, for people. size: bytes of the message;
    sha256: of these bytes, in hex; both have no meaning before it is stored. released: the releases, oldest first.
    """

    ref: str
    time: float
    sender: str
    recipients: tuple[str, ...]
    ip: str
    host: str
    helo: str
    reason: str
    check: str
    sentence: str
    message_id: str
    subject: str
    size: int = 0
    sha256: str = ""
    released: tuple[ReleaseNote, ...] = ()


def format_envelope(envelope: Envelope) -> bytes:
    """Return an envelope as it stands in its file."""
    values = {
        "ref": envelope.ref,
        "time": _iso(envelope.time),
        "from": envelope.sender,
        "recipients": envelope.recipients,
        "ip": envelope.ip,
        "host": envelope.host,
        "helo": envelope.helo,
        "reason": envelope.reason,
        "check": envelope.check,
        "sentence": envelope.sentence,
        "message-id": envelope.message_id,
        "subject": envelope.subject,
        "size": envelope.size,
        "sha256": envelope.sha256,
        "released": [
            {"time": _iso(one.time), "to": one.recipients, "by": one.by, "state": one.state}
            for one in envelope.released
        ],
    }
    text = json.dumps(values, indent=1)
    if "\\ud" in text:  # bytes that are not UTF-8, or characters beyond U+FFFF
        text = json.dumps(valid_json(values), indent=1)
    return f"{text}\n".replace("\x7f", "\\u007f").encode("ascii")


def parse_envelope(data: bytes) -> Envelope:
    """Read an envelope. Raises ValueError, with what is wrong, for one that is not whole."""
    try:
        found = json.loads(data)
        if b'"raw"' in data:
            found = with_bytes(found)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("is not a JSON object")
    recipients = _strings(found, "recipients")
    if not recipients:
        raise ValueError("recipients is empty")
    return Envelope(
        **{name: _string(found, key) for name, key in _STRINGS.items()},
        time=_time(found),
        recipients=recipients,
        size=_size(found),
        released=tuple(map(_release, _list(found, "released"))),
    )


_STRINGS = {
    **{name: name for name in ("ref", "ip", "host", "helo", "reason", "check", "sentence", "subject", "sha256")},
    "sender": "from",
    "message_id": "message-id",
}


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="microseconds")


def _release(found: Any) -> ReleaseNote:
    if not isinstance(found, dict):
        raise ValueError("released is not a list of objects")
    state = found.get("state", "sent")
    if state not in get_args(ReleaseState):
        raise ValueError(f"released has a state other than {', '.join(get_args(ReleaseState))}")
    return ReleaseNote(time=_time(found), recipients=_strings(found, "to"), by=_string(found, "by"), state=state)


def _string(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is not a string")
    return value


def _list(found: Mapping[str, Any], key: str) -> list[Any]:
    value = found.get(key)
    if not isinstance(value, list):
        raise ValueError(f"{key} is not a list")
    return value


def _strings(found: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = _list(found, key)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key} is not a list of strings")
    return tuple(values)


def _size(found: Mapping[str, Any]) -> int:
    value = found.get("size")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SIZE:
        raise ValueError("size is not a number of bytes")
    return value


def _time(found: Mapping[str, Any]) -> float:
    text = _string(found, "time")
    try:
        zone = datetime.fromisoformat(text).tzinfo
        seconds = parse_instant(text)
    except ValueError:
        raise ValueError("time is not a time in the years 1970 to 9998") from None
    if zone is None:
        raise ValueError("time has no time zone")
    return seconds
