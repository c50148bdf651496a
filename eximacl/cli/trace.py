"""How a decision came about: each check with its result, and under it the questions that it asked.

`eximacl check --explain` and `eximacl why` print this alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from eximacl.cli.output import VERDICT_STYLES, Style, paint
from eximacl.policy.outcome import Traced
from eximacl.system.text import printable

# Of a check's result; one that passes is not worth a colour.
STYLES = {**VERDICT_STYLES, "drop": Style.BAD, "observe": Style.WARNING, "unknown": Style.WARNING}


def print_trace(trace: Sequence[Traced], questions: Sequence[Sequence[Any]], *, times: bool) -> None:
    """Print a trace; each question (`[check, kind, fields…, answer]`) under the last line of its check."""
    last = {line.check: index for index, line in enumerate(trace)}
    for index, line in enumerate(trace):
        reason = ": ".join(part for part in (line.reason, line.detail) if part)
        time = f"{line.seconds * 1e6:>7.0f} µs   " if times else ""
        result = paint(f"{printable(line.result):<8}", STYLES.get(line.result))
        click.echo(f"  {printable(line.check):<20} {result} {time}{printable(reason)}".rstrip())
        for check, kind, *fields, answer in questions:
            if check == line.check and last[check] == index:
                for asked, found in _pairs(kind, fields, answer):
                    click.echo(f"    {printable(f'{kind} {asked}').rstrip()} → {printable(found)}")


def _pairs(kind: str, fields: Sequence[Any], answer: Any) -> list[tuple[str, str]]:
    """Return what was asked with what was answered; a question about several DNS names is several."""
    if kind == "lookup":
        return [(" ".join(one), _found(found)) for one, found in zip(fields[0], answer, strict=True)]
    if isinstance(answer, dict) and "unknown" in answer:
        found = _found(answer)
    else:
        found = ", ".join(map(str, answer)) if isinstance(answer, list | tuple) else str(answer)
    return [(" ".join(str(field) for field in fields), found or "none")]


def _found(found: Any) -> str:
    if isinstance(found, dict):
        return f"unknown: {found['unknown']}"
    return ", ".join(found) or "absent"
