"""`eximacl why`: show a decision from the journal, how it came about, and what followed from it."""

from __future__ import annotations

from pathlib import Path

import click

from eximacl.cli.command import Command, Section
from eximacl.cli.complete import logged
from eximacl.cli.errors import explained
from eximacl.cli.filters import reference_of
from eximacl.cli.options import config_option, journal_of, journal_option, json_option, print_json
from eximacl.cli.output import VERDICT_STYLES, paint
from eximacl.cli.trace import print_trace
from eximacl.records.decisions import as_dict, find, query_of
from eximacl.records.journal import Entry
from eximacl.system.text import printable
from eximacl.system.times import zoned

# What the query says about the message, in the order in which a person asks.
SHOWN = ("ip", "host", "helo", "from", "rcpt", "rcpts", "tx", "id")


@click.command(cls=Command, section=Section.DECISIONS)
@click.argument("ref", shell_complete=logged("ref"))
@config_option
@journal_option
@json_option
def why(ref: str, config_path: Path, directory: Path | None, as_json: bool) -> int:
    """Explain why a message was refused, deferred or accepted.

    REF is the reference in the bounce, in Exim's log or in the rejection log: eight letters and digits.
    Where a recipient was held, what became of the message follows.

    \b
    Examples:
      eximacl why 7KQ2M9D4
      eximacl why --json 7KQ2M9D4 | jq .trace
      eximacl why --json 7KQ2M9D4 | jq '.later[].query.id'

    \b
    Exit status: 0 it was found
      65 not a reference         66 not in the journal
      74 there is no journal     78 wrong configuration
    """
    reference = reference_of(ref)
    with explained():
        found = find(journal_of(config_path, directory), reference)
    if as_json:
        print_json(as_dict(*found))
    else:
        _print(*found)
    return 0


def _print(*entries: Entry) -> None:
    """Print entries; of the query of each only what the ones before did not say."""
    known: dict[str, str] = {}
    for number, entry in enumerate(entries):
        if number:
            click.echo()
        query = query_of(entry)
        _print_one(entry, query, {key: query[key] for key in SHOWN if key in query and query[key] != known.get(key)})
        known |= query


def _print_one(entry: Entry, query: dict[str, str], shown: dict[str, str]) -> None:
    """Print one entry, and of its query's values those that are `shown`."""
    verdict = paint(printable(entry.word), VERDICT_STYLES.get(entry.word))
    click.echo(f"{entry.ref}   {zoned(entry.time)}   at {query.get('stage', '?')}: {verdict}")
    if entry.message:
        click.echo(f"  told:     {entry.code} {printable(entry.message)}")
    for key, value in shown.items():
        click.echo(f"  {key + ':':<9} {printable(value) or '(empty)'}")
    click.echo()
    print_trace(entry.trace, entry.questions, times=False)
