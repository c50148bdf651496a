"""How a decision came about: each check with its result, and under it the questions that it asked.

`eximacl check --explain` and `eximacl why` print this alike.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

import click

from eximacl.cli.output import VERDICT_STYLES, Style, paint
from eximacl.policy.outcome import Traced
from eximacl.policy.questions import QUESTIONS_OF_STATE, FirstSeen, ReserveSlot, WhenSeen, field_names
from eximacl.system.text import printable
from eximacl.system.times import local

# Of a check's result; one that passes is not worth a colour.
STYLES = {**VERDICT_STYLES, "drop": Style.BAD, "observe": Style.WARNING, "unknown": Style.WARNING}


# Fields and answers of questions that are a length of time, and those that are a time since 1970.
_SPANS = ("seconds", "window")
_TIMES = ("since", "until", "first", "last", "ended")
_SINCE = (FirstSeen.kind, WhenSeen.kind)
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def print_trace(trace: Sequence[Traced], questions: Sequence[Sequence[Any]], *, times: bool, dry: bool = False) -> None:
    """Print a trace; each question (`[check, kind, fields…, answer]`) under the last line of its check.

    dry: nothing was counted, reserved or remembered, so answers that say so are marked.
    """
    last = {line.check: index for index, line in enumerate(trace)}
    for index, line in enumerate(trace):
        reason = ": ".join(part for part in (line.reason, line.detail) if part)
        time = f"{line.seconds * 1e6:>7.0f} µs   " if times else ""
        result = paint(f"{printable(line.result):<8}", STYLES.get(line.result))
        click.echo(f"  {printable(line.check):<20} {result} {time}{printable(reason)}".rstrip())
        for check, kind, *fields, answer in questions:
            if check == line.check and last[check] == index:
                mark = " (not done)" if dry and _would_change(kind, answer) else ""
                for asked, found in _pairs(kind, fields, answer):
                    click.echo(f"    {printable(f'{kind} {asked}').rstrip()} → {printable(found)}{mark}")


def _would_change(kind: str, answer: Any) -> bool:
    """Whether a question changes the state if it is answered like this, except where it is asked dry."""
    asked = QUESTIONS_OF_STATE.get(kind)
    if asked is None or not asked.changes or answer is False or isinstance(answer, dict):
        return False
    return kind != ReserveSlot.kind or str(answer).startswith("reserved")


def _pairs(kind: str, fields: Sequence[Any], answer: Any) -> list[tuple[str, str]]:
    """Return what was asked with what was answered; a question about several DNS names is several."""
    if kind == "lookup":
        return [(" ".join(one), _found(found)) for one, found in zip(fields[0], answer, strict=True)]
    names = field_names(kind)
    asked = [_shown(name, value) for name, value in zip(chain(names, repeat("")), fields, strict=False)]
    return [(" ".join(asked), _answered(kind, answer) or "none")]


def _answered(kind: str, answer: Any) -> str:
    if isinstance(answer, dict):
        if "unknown" in answer:
            return _found(answer)
        told = {**answer, "until": "for ever"} if answer.get("until", 0) is None else answer
        return ", ".join(f"{name} {_shown(name, value)}" for name, value in told.items() if value not in ("", 0))
    if isinstance(answer, list | tuple):
        return ", ".join(map(str, answer))
    if answer is None:
        return ""
    return _shown("since" if kind in _SINCE else "", answer)


def _shown(name: str, value: Any) -> str:
    """Return a field or an answer as people read it: lengths of time in their largest whole unit, times in local time.

    A record may come from elsewhere, with values of any type.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and name in _SPANS:
        return _span(value)
    if isinstance(value, int | float) and name in _TIMES:
        with contextlib.suppress(ValueError, OverflowError, OSError):  # a time in no calendar
            return local(value)
    return str(value)


def _span(seconds: float) -> str:
    """Return `36 d`, `60 min` or `1.5 s`."""
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _found(found: Any) -> str:
    if isinstance(found, dict):
        return f"unknown: {found['unknown']}"
    return ", ".join(found) or "absent"
