"""`eximacl observed`: what checks under `observe` would have objected to, from the journal.

Rule: one line for each such hit, in the order in which they were; what became of the mail stands beside it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.commands.why import find_journal, journal_option, query_of, reading
from eximacl.cli.options import Failure, config_option, json_option
from eximacl.cli.output import VERDICT_STYLES, Column, Table, terminal_width, write_line, write_object
from eximacl.policy.outcome import Traced
from eximacl.records.journal import Entry, journal_files, read_journal
from eximacl.system.text import printable
from eximacl.system.times import local, parse_time, zone_names


class Observed(NamedTuple):
    """One hit that was only noted."""

    entry: Entry
    line: Traced
    query: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        entry, line = self.entry, self.line
        query = {key: self.query.get(key, "") for key in ("stage", "ip", "host", "helo", "from", "rcpt", "rcpts")}
        return {
            "time": datetime.fromtimestamp(entry.time, UTC).isoformat(timespec="milliseconds"),
            "ref": entry.ref,
            "check": line.check,
            "reason": line.reason,
            "detail": line.detail,
            "verdict": entry.word,
            **query,
        }


COLUMNS = (
    Column[Observed](f"TIME ({zone_names()})", lambda one: local(one.entry.time), 19, 19, 0),
    Column[Observed]("REF", lambda one: one.entry.ref, 8, 8, 1),
    Column[Observed]("CHECK", lambda one: one.line.check, 10, 17, 2),
    Column[Observed]("VERDICT", lambda one: one.entry.word, 7, 7, 5, lambda one: VERDICT_STYLES.get(one.entry.word)),
    Column[Observed]("IP", lambda one: one.query.get("ip", ""), 15, 15, 6),
    Column[Observed]("FROM", lambda one: one.query.get("from", "") or "<>", 15, 30, 4),
    Column[Observed]("RECIPIENT", lambda one: one.query.get("rcpt", ""), 20, 30, 3),
    Column[Observed]("DETAIL", lambda one: one.line.detail, 20, 60, 7),
)


@click.command(cls=Command, section=Section.DECISIONS, epilog=exits.HELP)
@click.option("--check", metavar="CHECK", help="Only this check's, such as rdns_tld.")
@click.option("--since", metavar="WHEN", default="7d", show_default=True, help="From then on: 2h, 3d, 2026-12-31.")
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
    """
    try:
        began = parse_time(since, time.time())
    except ValueError as error:
        raise click.UsageError(f"--since: {error}") from None
    journal = find_journal(config_path, directory)
    found = (one for one in observations(journal, began) if check in (None, one.line.check))
    shown = _count(found, as_json) if count else _list(found, as_json)
    if not shown:
        whose = f" of {check}" if check else ""
        raise Failure(f"nothing was observed{printable(whose)} since {local(began)}", exits.NOT_FOUND)
    return 0


def observations(journal: Path, since: float) -> Iterator[Observed]:
    """Yield the noted hits of a journal from a time on, the oldest first. What cannot be read is a Failure."""
    with reading(journal):
        for path in journal_files(journal):
            if path.stat().st_mtime < since:
                continue
            for entry in read_journal(path):
                if entry.time >= since:
                    yield from (Observed(entry, line, query_of(entry)) for line in entry.trace if _is_noted(line))


def _is_noted(line: Traced) -> bool:
    return line.result == "observe" and line.reason != "spared"


def _list(found: Iterator[Observed], as_json: bool) -> int:
    """Print each; return how many there were."""
    table = Table(COLUMNS, terminal_width())
    number = 0
    for number, one in enumerate(found, 1):
        if as_json:
            write_object(one.as_dict())
            continue
        if number == 1:
            write_line(table.head())
        write_line(table.row(one))
    return number


def _count(found: Iterator[Observed], as_json: bool) -> int:
    """Print how many there were by check and reason, the most frequent first; return how many kinds there were."""
    kinds = Counter((one.line.check, one.line.reason) for one in found).most_common()
    for (check, reason), number in kinds:
        if as_json:
            write_object({"check": check, "reason": reason, "count": number})
        else:
            write_line(f"{number:>8}  {printable(check)}  {printable(reason)}")
    return len(kinds)
