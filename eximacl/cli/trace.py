"""Printing how a decision came about: each check with its result, and under it what it asked.

Rule: what `eximacl check --explain` and `eximacl why` show is the same, line for line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from eximacl.cli.common import printable
from eximacl.model import Traced


def print_trace(trace: Sequence[Traced], questions: Sequence[Sequence[Any]], *, times: bool) -> None:
    """Print a trace; each question (`[check, kind, fields…, answer]`) under the last line of its check."""
    last = {line.check: index for index, line in enumerate(trace)}
    for index, line in enumerate(trace):
        reason = ": ".join(part for part in (line.reason, line.detail) if part)
        time = f"{line.seconds * 1e6:>7.0f} µs   " if times else ""
        click.echo(f"  {printable(line.check):<20} {printable(line.result):<8} {time}{printable(reason)}".rstrip())
        for check, kind, *fields, answer in questions:
            if check == line.check and last[check] == index:
                asked = " ".join(str(field) for field in fields)
                click.echo(f"    {printable(str(kind))} {printable(asked)} → {printable(str(answer))}")
