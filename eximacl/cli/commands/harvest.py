"""`eximacl harvest`: list who ever received mail, from the mail store, for the check valid_recipient."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.errors import explained
from eximacl.cli.options import Failure, config_option, json_option, policy_domains
from eximacl.cli.output import Style, paint, plural, progress, write_line, write_object
from eximacl.config.peek import NoPolicyFile, PeekError, default_setting, read_setting
from eximacl.harvest import EXCLUDED_FOLDERS, AddressCount, ListFile, ListFileError, MailSource, Tally, run
from eximacl.harvest.listfile import day, utc
from eximacl.mail.lists import Domains
from eximacl.system.text import printable
from eximacl.system.times import parse_time

# Less is over before a bar could be read.
PROGRESS_MESSAGES = 5000
EXCLUDED_SHOWN = 3

# What was passed over: what it is, and what that means.
_TROUBLES: tuple[tuple[Any, str, str, str], ...] = (
    ("unreadable", "file or directory", "files or directories", "could not be read, so the list may be incomplete"),
    ("broken", "broken message", "broken messages", "skipped"),
    ("vanished", "file", "files", "disappeared before being read"),
)


class Given(NamedTuple):
    """The options as they were given."""

    headers: str
    min_count: int
    since: str | None
    tags: str | None
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
    help="One of your domains; with a dot before it, all below it. May be repeated.  [default: policy.domains]",
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
    metavar="SIGNS",
    help="The characters that start a tag: steve+shop counts as steve. Empty: no tags.  [default: policy.separators]",
)
@click.option(
    "--keep-disposable", is_flag=True, help="List steve.3.count and steve.date.31-12-2026 as they are, not as steve."
)
@click.option(
    "--exclude-folder",
    multiple=True,
    metavar="NAME",
    help=f"Also skip folders with this name. May be repeated. Always skipped: {', '.join(EXCLUDED_FOLDERS)}.",
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
    """List the addresses in your domains that received mail.

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
      73 FILE is not a list that eximacl wrote (--force replaces it)
      74 files could not be read (what was found is listed or written all the same)
    """
    given = Given(**options)
    listfile = _listfile(given)
    request = _request(given, _domains(domains, config_path), _tags(given, config_path))
    surveyed = _survey(paths, given)
    try:
        with explained(), progress("Reading", surveyed.weight, PROGRESS_MESSAGES) as bar:
            tally = run.read(surveyed, request, given.jobs, time.time(), bar.advance)
    except KeyboardInterrupt:
        if listfile:
            click.echo(f"{listfile.path} is unchanged.", err=True)
        raise
    found = run.entries(tally, request)
    status = _conclude(tally, bool(surveyed.refused))
    if not found:
        where = ", ".join(request.domains)
        click.echo(f"No recipient at {where} was found in {plural(tally.messages, 'message')}.", err=True)
        return status or exits.NOT_FOUND
    if listfile is None:
        _print(found, given.as_json)
        return status
    return _write(listfile, found, tally, given) or status


def _request(given: Given, ours: Domains, tags: str) -> run.HarvestRequest:
    """Return what to look for. Raises UsageError."""
    try:
        since = parse_time(given.since, time.time()) if given.since else 0.0
    except ValueError as error:
        raise click.UsageError(f"--since: {error}") from None
    return run.HarvestRequest(
        ours,
        all_headers=given.headers == "all",
        tags=tags,
        keep_disposable=given.keep_disposable,
        since=since,
        min_count=given.min_count,
        localparts=given.localparts,
    )


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


def _tags(given: Given, config_path: Path) -> str:
    """Return --strip-tags, or else policy.separators; its default where the mail store's machine has no policy."""
    if given.tags is not None:
        return given.tags
    try:
        found = read_setting(config_path, "policy", "separators")
    except PeekError as error:
        found = default_setting("policy", "separators")
        if not isinstance(error, NoPolicyFile):
            click.echo(f"Note: {printable(str(error))}; tags are taken to start with {found}", err=True)
    assert isinstance(found, str)
    return found


def _listfile(given: Given) -> ListFile | None:
    """Return the file to write; it is refused now, not after an hour of reading.

    Raises UsageError for options that contradict each other.
    """
    if given.output is None and (given.force or given.merge):
        raise click.UsageError("--force and --merge need --output FILE")
    if given.force and given.merge:
        raise click.UsageError("give either --force or --merge")
    if given.output is not None and given.as_json:
        raise click.UsageError("give either --output or --json")
    if given.output is None:
        return None
    try:
        listfile = ListFile(given.output)
        listfile.check(force=given.force, merge=given.merge)
    except ListFileError as error:
        raise Failure(str(error), exits.ALREADY) from None
    return listfile


def _survey(paths: tuple[Path, ...], given: Given) -> run.Survey:
    """Look for mail, and say what was found at each path."""
    surveyed = run.survey(paths, (*given.exclude_folder, *(() if given.all_folders else EXCLUDED_FOLDERS)))
    for problem in surveyed.refused:
        click.echo(f"Error: {printable(problem)}", err=True)
    for found in surveyed.found:
        click.echo(f"{printable(str(found.path))}: {printable(_taken_for(found))}", err=True)
    if not surveyed.found:
        raise Failure("there is no mail to read", exits.IO_ERROR)
    return surveyed


def _taken_for(found: MailSource) -> str:
    """Say what one path was taken for."""
    kinds = [source.kind for source in found.sources]
    folders = len({os.path.dirname(source.path) for source in found.sources if source.kind == "maildir"})  # noqa: PTH120
    files = sum(source.files for source in found.sources if source.kind in ("messages", "message"))
    counted = (
        (folders, "Maildir folder", ""),
        (kinds.count("mbox"), "mbox", "mboxes"),
        (files, "single message", ""),
    )
    parts = [plural(number, noun, many) for number, noun, many in counted if number]
    nothing = "nothing new: it was read as a part of another PATH" if found.again else "no mail"
    text = ", ".join(parts) or nothing
    if found.excluded:
        more = "" if len(found.excluded) <= EXCLUDED_SHOWN else ", …"
        text += f"; skipped: {', '.join(found.excluded[:EXCLUDED_SHOWN])}{more}"
        text += "" if parts or found.again else " (--all-folders reads them)"
    return text + (f"; {plural(found.others, 'other file')}" if found.others else "")


def _conclude(tally: Tally, refused: bool) -> int:
    """Say what was read and what was not; return the exit status."""
    click.echo(f"{plural(tally.messages, 'message')} read", err=True)
    for trouble, noun, many, words in _TROUBLES:
        count = tally.troubles[trouble]
        if not count:
            continue
        examples = tally.troubles.examples[trouble]
        click.echo(paint(f"{plural(count, noun, many)} {words}:", Style.WARNING, sys.stderr), err=True)
        for name, reason in examples:
            click.echo(f"  {printable(name)}: {printable(reason)}", err=True)
        if count > len(examples):
            click.echo("  …", err=True)
    if tally.troubles["unreadable"] or refused:
        return exits.IO_ERROR
    return exits.DATA if tally.troubles["broken"] else 0


def _print(found: dict[str, AddressCount], as_json: bool) -> None:
    """Print the entries in order of their domains."""
    if not as_json:
        write_line(paint(f"{'COUNT':>9}  {'FIRST':10}  {'LAST':10}  RECIPIENT", Style.HEADING))
    for entry in sorted(found, key=lambda entry: entry.rpartition("@")[::-1]):
        count, first, last = found[entry]
        if as_json:
            write_object({"recipient": entry, "count": count, "first": utc(first), "last": utc(last)})
        else:
            write_line(f"{count:>9,}  {day(first)}  {day(last)}  {printable(entry)}")


def _write(listfile: ListFile, found: dict[str, AddressCount], tally: Tally, given: Given) -> int:
    """Write the list; return the exit status, 0 when every entry could be written."""
    try:
        count, unfit = run.write_list(listfile, found, tally, localparts=given.localparts, merge=given.merge)
    except ListFileError as error:
        raise Failure(str(error), exits.IO_ERROR) from None
    for entry, why in sorted(unfit.items()):
        click.echo(f"{printable(entry)!r} cannot be written into a list: {why}", err=True)
    click.echo(f"{listfile.path}: {plural(count, 'entry', 'entries')}", err=True)
    return exits.DATA if unfit else 0
