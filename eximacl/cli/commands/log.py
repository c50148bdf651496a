"""`eximacl log`: search the rejection log, with its rotated files, or follow it as it grows."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import click

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.errors import explained
from eximacl.cli.filters import filter_options, last_option, wanted_of
from eximacl.cli.options import Failure, config_option, find_path, json_option
from eximacl.cli.output import (
    VERDICT_STYLES,
    Column,
    Progress,
    Table,
    progress,
    sampled,
    terminal_width,
    write_line,
    write_object,
)
from eximacl.records.rotated import log_files
from eximacl.records.search import LogEntry, LogLine, SearchReport, Tail, Wanted, search, text_of, time_of
from eximacl.system.times import local, zone_names

# Half a second's reading; for less a person does not miss a sign of life.
PROGRESS_BYTES = 30_000_000
# Soon enough for a person who waits for a message, and rare enough to cost nothing.
FOLLOW_SECONDS = 0.25
# How much of the past `--follow` shows by default.
FOLLOW_LAST = 10
NO_CHECK = " --check takes a reason as the log has it, not the name of a check: unknown-recipient, not valid_recipient."
NOT_A_LOG = " Is this a rejection log?"


def _time(entry: LogEntry) -> str:
    when = time_of(entry)
    return text_of(entry, "time") if when is None else local(when)


def _text(key: str) -> Callable[[LogEntry], str]:
    return lambda entry: text_of(entry, key)


COLUMNS = (
    Column(f"TIME ({zone_names()})", _time, 19, 19, 0),
    Column("REF", _text("ref"), 8, 8, 1),
    Column("VERDICT", _text("verdict"), 7, 7, 4, lambda entry: VERDICT_STYLES.get(text_of(entry, "verdict"))),
    Column("CHECK", _text("check"), 10, 17, 5),
    Column("IP", _text("ip"), 15, 15, 6),
    Column("FROM", _text("from"), 12, 30, 3),
    Column("RECIPIENT", _text("recipient"), 14, 30, 2),
    Column("HOST", _text("host"), 14, 40, 7),
    Column("SUBJECT", _text("subject"), 20, 60, 8),
)


@click.command(cls=Command, section=Section.DECISIONS)
@filter_options
@last_option
@click.option(
    "-f",
    "--follow",
    is_flag=True,
    help=f"Go on with what comes, until Ctrl-C; begins with the last {FOLLOW_LAST} unless --since or --last is given.",
)
@click.option(
    "--log",
    "path",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    metavar="FILE",
    help="The rejection log; its rotated files (FILE.1, FILE.2.gz, …) beside it and in directories there are read too."
    "  [default: the policy file's]",
)
@json_option
@config_option
def log(
    last: int | None, follow: bool, path: Path | None, as_json: bool, config_path: Path, **given: str | None
) -> int:
    """Search the rejection log, the newest last.

    All conditions must hold. With --json the log's own lines are printed as they are.

    \b
    Examples:
      eximacl log --recipient steve@example.org --since 3d
      eximacl log --domain example.org --check rdns-tld --ip 192.0.2.0/24
      eximacl log --sender '<>' --since 2026-12-24 --until 2026-12-27 --json
      eximacl log --follow

    \b
    Exit status: 0 something was found    66 nothing was, or there is no log yet
      74 the log cannot be read           78 wrong configuration
    """
    wanted = wanted_of(given)
    if follow and wanted.until is not None:
        raise click.UsageError("--follow has no end, so --until is not for it")
    path = path or _configured(config_path)
    report = SearchReport()
    show = _json_line if as_json else _table_line()
    with explained():
        files = log_files(path)
        if follow:
            if not files:
                click.echo(f"{path} does not exist yet; waiting for it", err=True)
            _follow(path, wanted, report, last or (None if wanted.since is not None else FOLLOW_LAST), show)
    if not files:
        status = exits.NOT_FOUND if path.parent.is_dir() else exits.IO_ERROR
        raise Failure(f"{path} does not exist: has anything been refused yet?", status)
    with progress("Searching", sum(_size(file) for file in files), PROGRESS_BYTES) as bar:
        found: Iterable[LogLine] = search(files, wanted, report, progress=bar.advance if bar.shown else None)
        if last is not None:
            found = deque(found, last)
        # A long search without --last shows each line as it is found, so the columns cannot be fitted to them.
        if not as_json and (last is not None or not bar.shown):
            sample, found = sampled(found)
            show = _table_line([one.entry for one in sample])
        count = _show(found, show, bar)
    sys.stdout.flush()
    unread, damaged = bool(report.unreadable), report.damaged
    _complain(report)
    if count or unread:
        return 0 if count else exits.IO_ERROR
    hint = NO_CHECK if given["check"] else NOT_A_LOG if damaged else ""
    click.echo("Nothing was found." + hint, err=True)
    return exits.NOT_FOUND


def _configured(config_path: Path) -> Path:
    path = find_path(config_path, "log", "rejections", "--log")
    if path is None:
        raise Failure(f"{config_path}: log.rejections is empty, so no rejection is logged", exits.CONFIG)
    return path


def _follow(
    path: Path, wanted: Wanted, report: SearchReport, last: int | None, show: Callable[[LogLine], None]
) -> NoReturn:
    """Print what the log has, then what it gets, until Ctrl-C. Raises RecordsError."""
    with contextlib.closing(Tail(path, wanted)) as tail:
        past = tail.past(report)
        _show(past if last is None else deque(past, last), show)
        _complain(report)
        while True:
            sys.stdout.flush()
            time.sleep(FOLLOW_SECONDS)
            new = SearchReport(damaged_in=[path])
            _show(tail.new(new), show)
            _complain(new)


def _show(found: Iterable[LogLine], show: Callable[[LogLine], None], bar: Progress | None = None) -> int:
    count = 0
    for one in found:
        count += 1
        if bar is not None:
            bar.clear()
        show(one)
        if bar is not None:
            bar.written()
    return count


def _json_line(found: LogLine) -> None:
    """Print a line as it is; one that we did not write, with characters that a terminal would obey, is escaped."""
    line = found.line.decode("utf-8", "surrogateescape")
    if line.isascii() and line.isprintable():
        sys.stdout.write(line + "\n")
    else:
        write_object(found.entry)


def _table_line(sample: Sequence[LogEntry] = ()) -> Callable[[LogLine], None]:
    table = Table(COLUMNS, terminal_width(), sample)
    started = False

    def show(found: LogLine) -> None:
        nonlocal started
        if not started:
            started = True
            write_line(table.head())
        write_line(table.row(found.entry))

    return show


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _complain(report: SearchReport) -> None:
    for text in report.unreadable:
        click.echo(f"Error: {text}", err=True)
    report.unreadable.clear()
    if report.damaged:
        lines = "1 damaged line was" if report.damaged == 1 else f"{report.damaged} damaged lines were"
        click.echo(f"{lines} passed over, in {', '.join(map(str, report.damaged_in))}", err=True)
