"""What our own programs ask a running daemon: for a verdict, to reload its policy, for its status.

Root asks, and the process that listens on the socket may be any program. An answer is used only where it has the
expected shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from eximacl.protocol.client import UNREADABLE, DaemonError, RequestRefused, ask, ask_control
from eximacl.protocol.exim import Reply, format_query

Status = Mapping[str, Any]
# The kernel's limit of process ids on 64 bits (proc(5), pid_max).
PID_MAX = 1 << 22


class Reloaded(NamedTuple):
    """What came of a reload.

    problems: of a policy that was refused, so that the old one is still in force; empty where the new one is.
    kept: why lists keep their old entries although the new policy is in force.
    accepted: the lists that count although they have lost so much, since that was said to be meant.
    notes: what the admin has to know about the new one, such as settings that need a restart.
    """

    problems: list[str]
    kept: list[str]
    accepted: list[str]
    notes: list[str]


def judge(path: Path, stage: str, values: Mapping[str, str]) -> Reply:
    """Return the daemon's verdict on a query. Raises DaemonError, RequestRefused."""
    return accepted(ask(path, format_query(stage, values)))


def accepted(reply: Reply) -> Reply:
    """Return a reply that is not an error. Raises RequestRefused."""
    if reply.verdict == "error":
        raise RequestRefused(reply.reason, reply.message)
    return reply


def reload(path: Path, *, accept: bool = False, named: Sequence[str] = ()) -> Reloaded:
    """Have the daemon at a socket read its policy again. accept: lists count even if they have lost most entries.
    named: only these lists; empty: all.

    Raises DaemonError where it does not answer, RequestRefused where it will not: only root and its own user may ask.
    """
    values = {"accept": "1", **({"lists": "\n".join(named)} if named else {})} if accept else {}
    answer = ask_control(path, "reload", values)
    if not (isinstance(answer, dict) and all(_are_texts(answer.get(name)) for name in Reloaded._fields)):
        raise DaemonError(f"{path}: {UNREADABLE}")
    return Reloaded(*(answer[name] for name in Reloaded._fields))


def read_status(path: Path) -> Status:
    """Return the status of the daemon at a socket (`daemon.Daemon.status`). Raises DaemonError.

    A daemon of another version may leave out all but version, pid, config and uptime.
    """
    answer = ask_control(path, "status", {})
    if not is_status(answer):
        raise DaemonError(f"{path}: {UNREADABLE}")
    found: Status = answer
    return found


def is_status(answer: object) -> bool:
    """Return whether an answer is a status: it has the four required values, and each known value is of its type."""
    if not isinstance(answer, dict) or not answer.keys() >= {"version", "pid", "config", "uptime"}:
        return False
    return all(fits(answer[name]) for name, fits in _SHAPE.items() if name in answer)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_pid(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= PID_MAX


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_path(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_counts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _is_dns(value: object) -> bool:
    return isinstance(value, dict) and all(
        fits(value[name])
        for name, fits in {"entries": _is_count, "questions": _is_count, "servers": _are_texts}.items()
        if name in value
    )


def _are_records(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(each, dict)
        and _is_count(each.get("dropped"))
        and _is_count(each.get("lost"))
        and _is_count(each.get("waiting"))
        and _is_text(each.get("path"))
        for each in value.values()
    )


_SHAPE: Mapping[str, Callable[[object], bool]] = {
    "version": _is_text,
    "pid": _is_pid,
    "config": _is_path,
    "uptime": _is_seconds,
    "loaded": _is_seconds,
    "counts": _are_counts,
    "dns": _is_dns,
    "problems": _are_texts,
    "refused": _are_texts,
    "stale": _is_flag,
    "lists": _are_counts,
    "notes": _are_texts,
    "records": _are_records,
}
