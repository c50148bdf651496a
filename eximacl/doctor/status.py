"""What a daemon says of itself. Rule: whoever listens at the socket may say anything; only what has the right shape
counts, and nothing else is looked at."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eximacl.protocol.client import DaemonError, ask
from eximacl.protocol.exim import CONTROL, format_query

Status = Mapping[str, Any]
# The kernel's limit of process ids on 64 bits (proc(5), pid_max).
PID_MAX = 1 << 22


def read_status(path: Path) -> Status | DaemonError:
    """Ask the daemon at a socket; the error says why there is no status."""
    try:
        reply = ask(path, format_query(CONTROL, {"do": "status"}))
        answer = json.loads(reply.extra["answer"])
    except DaemonError as error:
        return error
    except (KeyError, ValueError, RecursionError):
        answer = None
    if not is_status(answer):
        return DaemonError(f"{path}: whoever listens there does not tell its status")
    found: Status = answer
    return found


def is_status(answer: object) -> bool:
    """Whether an answer has the shape of a status: each thing that is there is of its kind, and the first four are."""
    if not isinstance(answer, dict) or not answer.keys() >= {"version", "pid", "config", "uptime"}:
        return False
    return all(fits(answer[name]) for name, fits in _SHAPE.items() if name in answer)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_pid(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= PID_MAX


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_path(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_records(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(each, dict)
        and _is_count(each.get("dropped"))
        and _is_count(each.get("waiting"))
        and _is_text(each.get("path"))
        for each in value.values()
    )


_SHAPE: Mapping[str, Callable[[object], bool]] = {
    "version": _is_text,
    "pid": _is_pid,
    "config": _is_path,
    "uptime": _is_seconds,
    "problems": _are_texts,
    "refused": _are_texts,
    "notes": _are_texts,
    "records": _are_records,
}
