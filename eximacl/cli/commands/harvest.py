"""`eximacl harvest`: list who ever received mail, from the mail store, for the check valid_recipient."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import click

from eximacl import harvest as store
from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.options import Failure, config_option, json_option, policy_domains
from eximacl.cli.output import progress, write_line, write_object
from eximacl.harvest.listfile import day, utc
from eximacl.mail.disposable import Rules
from eximacl.mail.lists import Domains
from eximacl.system.text import printable
from eximacl.system.times import parse_time

# Less is over before a bar could be read.
PROGRESS_MESSAGES = 5000
# Starting processes for less takes longer than reading.
MESSAGES_PER_JOB = 1000
EXCLUDED_SHOWN = 3

_TROUBLES: tuple[tuple[Any, str], ...] = (
    ("unreadable", "could not be read, so the list may lack somebody"),
    ("broken", "broken messages were skipped"),
    ("vanished", "files were gone when they were to be read"),
)


class Given(NamedTuple):
    """The options, as they were given."""

    headers: str
    min_count: int
    since: str | None
    tags: str
    keep_disposable: bool
    exclude_folder: tuple[str, ...]
    all_folders: bool
    localparts: bool
    jobs: int | None
    output: Path | None
    force: bool
    merge: bool
    as_json: bool


@click.command(cls=Command, section=Section.ADDRESSES)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@click.option(
    "--domain",
    "domains",
    multiple=True,
    metavar="DOMAIN",
    help="One of our domains; with a dot before it, all below it. May be repeated.  [default: policy.domains]",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the list for valid_recipient to FILE, in one step, after everything is read.",
)
@click.option("--merge", is_flag=True, help="With --output: keep the entries already in FILE.")
@click.option("--force", is_flag=True, help="With --output: replace FILE even if eximacl did not write it.")
@click.option(
    "--headers",
    type=click.Choice(["all", "delivery"]),
    default="all",
    show_default=True,
    help="delivery: only Delivered-To, Envelope-To and the like; all: also To and Cc.",
)
@click.option(
    "--min-count",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Only addresses that received at least N messages.",
)
@click.option("--since", metavar="WHEN", help="Only messages since then: 365d, 2026-12-31.")
@click.option(
    "--strip-tags",
    "tags",
    default="+",
    show_default=True,
    metavar="SIGNS",
    help="The characters that start a tag: steve+shop counts as steve. Empty: no tags.",
)
@click.option(
    "--keep-disposable", is_flag=True, help="List steve.3.count and steve.date.31-12-2026 as they are, not as steve."
)
@click.option(
    "--exclude-folder",
    multiple=True,
    metavar="NAME",
    help=f"Also skip folders with this name. May be repeated. Always skipped: {', '.join(store.EXCLUDED_FOLDERS)}.",
)
@click.option("--all-folders", is_flag=True, help="Skip only what --exclude-folder names.")
@click.option("--localparts", is_flag=True, help="List localparts without a domain: valid in every domain.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1, max=256),
    metavar="N",
    help="How many processes read.  [default: the number of CPUs]",
)
@json_option
@config_option
def harvest(paths: tuple[Path, ...], domains: tuple[str, ...], config_path: Path, **options: Any) -> int:
    """List everyone in our domains who ever received mail.

    The addresses come from the headers in a mail store. A PATH is a Maildir, a directory with Maildirs, mboxes or .eml
    files anywhere below it, an mbox (also .gz), or one message. Broken messages are skipped and counted.

    \b
    Examples:
      eximacl harvest /var/mail /home/*/Maildir
      eximacl harvest /var/vmail --domain example.org --min-count 2 --since 730d
      eximacl harvest /var/vmail --output /etc/eximacl/lists/valid_recipient
      eximacl harvest new.mbox.gz --output /etc/eximacl/lists/valid_recipient --merge

    \b
    Exit status: 0 everything was read
      65 broken messages were skipped
      66 no address was found
      74 files could not be read (what was found is listed or written all the same)
    """
    given = Given(**options)
    since = _checked(given)
    ours = _domains(domains, config_path)
    listfile = _listfile(given)
    walk = store.Walk((*given.exclude_folder, *(() if given.all_folders else store.EXCLUDED_FOLDERS)))
    sources, refused = _find(walk, paths)
    disposable = None if given.keep_disposable else Rules(timezone=ZoneInfo("UTC"))
    wanted = store.Criteria(ours, given.headers == "all", given.tags, disposable)
    tally = store.Tally(troubles=walk.troubles)
    try:
        _read(tally, sources, store.Reader(wanted, time.time()), since, given.jobs)
    except KeyboardInterrupt:
        if listfile:
            click.echo(f"{listfile.path} is as it was.", err=True)
        raise
    seen = _chosen(tally, given)
    status = _conclude(tally, refused)
    if not seen:
        click.echo(f"Nobody at {', '.join(ours)} was found in {tally.messages} messages.", err=True)
        return status or exits.NOT_FOUND
    if listfile is None:
        _print(seen, given.as_json)
        return status
    return _write(listfile, seen, tally, given) or status


def _checked(given: Given) -> float:
    """Return --since, in seconds since 1970. Raises UsageError for options that contradict each other."""
    if given.output is None and (given.force or given.merge):
        raise click.UsageError("--force and --merge need --output FILE")
    if given.force and given.merge:
        raise click.UsageError("give either --force or --merge")
    if given.output is not None and given.as_json:
        raise click.UsageError("give either --output or --json")
    try:
        return parse_time(given.since, time.time()) if given.since else 0.0
    except ValueError as error:
        raise click.UsageError(f"--since: {error}") from None


def _domains(names: tuple[str, ...], config_path: Path) -> Domains:
    """Return --domain, or else policy.domains."""
    if names:
        try:
            return Domains(names)
        except ValueError as error:
            raise click.UsageError(f"--domain: {error}") from None
    try:
        ours = policy_domains(config_path)
    except ValueError as error:
        raise Failure(f"{error}; name the domains with --domain", exits.CONFIG) from None
    if not ours:
        raise Failure(f"{config_path}: policy.domains is empty; name the domains with --domain", exits.CONFIG)
    return ours


def _listfile(given: Given) -> store.ListFile | None:
    """Return the file to write; refused before anything is read, not after an hour."""
    if given.output is None:
        return None
    try:
        listfile = store.ListFile(given.output)
        listfile.check(force=given.force, merge=given.merge)
    except store.ListFileError as error:
        raise Failure(str(error), exits.ALREADY) from None
    return listfile


def _find(walk: store.Walk, paths: tuple[Path, ...]) -> tuple[list[store.Source], int]:
    """Look at every PATH and tell what it is; return the mail, and how many were none."""
    sources: list[store.Source] = []
    refused = 0
    for path in paths:
        try:
            found = walk.find(path)
        except store.NoMail as error:
            click.echo(f"Error: {printable(str(error))}", err=True)
            refused += 1
        except OSError as error:
            click.echo(f"Error: {printable(str(path))} cannot be read: {error.strerror}", err=True)
            refused += 1
        else:
            sources += found.sources
            click.echo(f"{printable(str(path))}: {printable(_taken_for(found))}", err=True)
    if refused == len(paths):
        raise Failure("there is no mail to read", exits.IO_ERROR)
    return sources, refused


def _taken_for(found: store.MailSource) -> str:
    kinds = [source.kind for source in found.sources]
    folders = len({os.path.dirname(source.path) for source in found.sources if source.kind == "maildir"})  # noqa: PTH120
    files = sum(source.files for source in found.sources if source.kind in ("messages", "message"))
    parts = [
        f"{number:,} {word}{'' if number == 1 else plural}"
        for number, word, plural in (
            (folders, "Maildir folder", "s"),
            (kinds.count("mbox"), "mbox", "es"),
            (files, "single message", "s"),
        )
        if number
    ]
    text = ", ".join(parts) or "nothing new: it was read as a part of another PATH"
    if found.excluded:
        more = "" if len(found.excluded) <= EXCLUDED_SHOWN else ", …"
        text += f"; left out: {', '.join(found.excluded[:EXCLUDED_SHOWN])}{more}"
    return text + (f"; {found.others:,} other files" if found.others else "")


def _read(
    tally: store.Tally, sources: list[store.Source], reader: store.Reader, since: float, jobs: int | None
) -> None:
    total = sum(source.weight for source in sources)
    jobs = jobs or min(len(os.sched_getaffinity(0)), total // MESSAGES_PER_JOB + 1)
    pieces = store.chunks(sources, tally.troubles)
    with (
        progress("Reading", total, PROGRESS_MESSAGES) as bar,
        contextlib.closing(store.work(pieces, reader, since, jobs)) as done,
    ):
        try:
            for chunk, part in done:
                tally.merge(part)
                bar.advance(chunk.weight)
        except store.WorkerLost as error:
            raise Failure(str(error), exits.IO_ERROR) from None


def _chosen(tally: store.Tally, given: Given) -> dict[str, store.AddressCount]:
    """Return the entries to list."""
    if not given.localparts:
        return {address: seen for address, seen in tally.seen.items() if seen.messages >= given.min_count}
    merged = store.Tally()
    for address, seen in tally.seen.items():
        merged.merge(store.Tally({address.rpartition("@")[0]: seen}))
    return {localpart: seen for localpart, seen in merged.seen.items() if seen.messages >= given.min_count}


def _conclude(tally: store.Tally, refused: int) -> int:
    """Tell what was read and what was not; return the exit status."""
    click.echo(f"{tally.messages:,} messages read", err=True)
    for trouble, words in _TROUBLES:
        count = tally.troubles[trouble]
        if not count:
            continue
        examples = tally.troubles.examples[trouble]
        click.echo(f"{count:,} {words}:", err=True)
        for name, reason in examples:
            click.echo(f"  {printable(name)}: {printable(reason)}", err=True)
        if count > len(examples):
            click.echo("  …", err=True)
    if tally.troubles["unreadable"] or refused:
        return exits.IO_ERROR
    return exits.DATA if tally.troubles["broken"] else 0


def _print(seen: dict[str, store.AddressCount], as_json: bool) -> None:
    entries = sorted(seen, key=lambda entry: entry.rpartition("@")[::-1])
    if as_json:
        for entry in entries:
            count, first, last = seen[entry]
            write_object({"recipient": entry, "count": count, "first": utc(first), "last": utc(last)})
        return
    write_line(f"{'COUNT':>9}  {'FIRST':10}  {'LAST':10}  RECIPIENT")
    for entry in entries:
        count, first, last = seen[entry]
        write_line(f"{count:>9,}  {day(first)}  {day(last)}  {printable(entry)}")


def _write(listfile: store.ListFile, seen: dict[str, store.AddressCount], tally: store.Tally, given: Given) -> int:
    """Write the list; return the exit status, 0 when every entry could be written."""
    unfit = {entry: why for entry in seen if (why := store.unwritable(entry, localpart=given.localparts))}
    for entry, why in sorted(unfit.items()):
        click.echo(f"{printable(entry)!r} cannot be written into a list: {why}", err=True)
    notes = [f"Mail for {len(seen) - len(unfit):,} recipients in {tally.messages:,} messages"]
    if tally.troubles["unreadable"]:
        notes.append(f"Incomplete: {tally.troubles['unreadable']:,} files or directories could not be read")
    try:
        fit = {entry: each for entry, each in seen.items() if entry not in unfit}
        count = listfile.write(fit, notes, merge=given.merge)
    except store.ListFileError as error:
        raise Failure(str(error), exits.IO_ERROR) from None
    click.echo(f"{listfile.path}: {count:,} entries", err=True)
    return exits.DATA if unfit else 0
