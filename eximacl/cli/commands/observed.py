"""`eximacl observed`: what checks under `observe` would have objected to, from the journal.

Each such hit has a line, in the order of time, with what became of the message.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.errors import explained
from eximacl.cli.options import Failure, config_option, journal_of, journal_option, json_option
from eximacl.cli.output import VERDICT_STYLES, Column, Table, sampled, terminal_width, write_line, write_object
from eximacl.config import find_checks
from eximacl.records.observed import Observed, counted
from eximacl.records.observed import observed as find_observed
from eximacl.system.text import printable
from eximacl.system.times import local, parse_time, zone_names, zoned

NOT_A_NAME = "; no check has that name: `eximacl config explain` lists them"

COLUMNS = (
    Column[Observed](f"TIME ({zone_names()})", lambda one: local(one.entry.time), 19, 19, 0),
    Column[Observed]("REF", lambda one: one.entry.ref, 8, 8, 1),
    Column[Observed]("CHECK", lambda one: one.line.check, 10, 17, 4),
    Column[Observed]("VERDICT", lambda one: one.entry.word, 7, 7, 5, lambda one: VERDICT_STYLES.get(one.entry.word)),
    Column[Observed]("IP", lambda one: one.query.get("ip", ""), 15, 15, 6),
    Column[Observed]("FROM", lambda one: one.query.get("from", "") or "<>", 12, 30, 3),
    Column[Observed]("RECIPIENT", lambda one: one.query.get("rcpt", ""), 14, 30, 2),
    Column[Observed]("DETAIL", lambda one: one.line.detail, 20, 60, 7),
)


@click.command(cls=Command, section=Section.DECISIONS)
@click.option("--check", metavar="CHECK", help="Only this check's, such as rdns_tld.")
@click.option("--since", metavar="WHEN", default="7d", show_default=True, help="Since then: 2h, 3d, 2026-12-31.")
@click.option("--count", is_flag=True, help="Only how many there were, by check and reason.")
@config_option
@journal_option
@json_option
def observed(
    check: str | None, since: str, count: bool, config_path: Path, directory: Path | None, as_json: bool
) -> int:
    """Show what observing checks would have refused.

    These are the checks with action = "observe". Look at it for a week before you let a check refuse mail. VERDICT is
    what the message got, from another check or from none.

    \b
    Examples:
      eximacl observed --count
      eximacl observed --check rdns_tld --since 2d
      eximacl observed --json | jq -r .host | sort | uniq -c

    \b
    Exit status: 0 something was observed    66 nothing was
      74 there is no journal                 78 wrong configuration
    """
    try:
        began = parse_time(since, time.time())
    except ValueError as error:
        raise click.UsageError(f"--since: {error}") from None
    with explained():
        found = find_observed(journal_of(config_path, directory), began, check and check.replace("-", "_"))
        shown = _print_counts(found, as_json) if count else _print_each(found, as_json)
    if not shown:
        by = f" by {check}" if check else ""
        hint = NOT_A_NAME if check and check.replace("-", "_") not in find_checks(config_path) else ""
        raise Failure(f"nothing was observed{printable(by)} since {zoned(began)}{hint}", exits.NOT_FOUND)
    return 0


def _print_each(found: Iterable[Observed], as_json: bool) -> int:
    """Print each; return how many there were."""
    sample, found = ((), found) if as_json else sampled(found)
    table = Table(COLUMNS, terminal_width(), sample)
    number = 0
    for number, one in enumerate(found, 1):
        if as_json:
            write_object(one.as_dict())
            continue
        if number == 1:
            write_line(table.head())
        write_line(table.row(one))
    return number


def _print_counts(found: Iterable[Observed], as_json: bool) -> int:
    """Print how many there were by check and reason; return how many such pairs there were."""
    counts = counted(found)
    for one in counts:
        if as_json:
            write_object(asdict(one))
        else:
            write_line(f"{one.count:>8}  {printable(one.check)}  {printable(one.reason)}")
    return len(counts)
