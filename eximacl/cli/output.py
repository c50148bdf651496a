"""Printing what people read: in colour on a terminal, in columns that fit it, and never raw.

Foreign text is made printable here, so that no client and no file can control the terminal.
Output to a pipe or a file has no colour, and its tables have all columns with nothing cut: `grep` and `awk` need whole
values, and there is no width to fit.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import chain, islice
from typing import IO, Any, Generic, NamedTuple, TypeVar

import click

from eximacl.system.text import as_json, printable

T = TypeVar("T")

GAP = "  "
CUT = "…"
TAB_COLUMNS = 8
# Longer lines of text are hard to read, however wide the terminal is; shorter ones look like a column of words.
PROSE_COLUMNS_MOST = 100
PROSE_COLUMNS_LEAST = 20
# Columns that fit this at their least are worth that others are cut for them; further ones are not.
NARROW_COLUMNS = 80
# A screen or a few; to read them takes no time that a person would notice.
SAMPLE_ROWS = 200
CLEAR_LINE = "\r\x1b[K"


class Style(Enum):
    """What a colour means; its value is the terminal's code for it (ECMA-48, Select Graphic Rendition)."""

    HEADING = "1"
    GOOD = "32"
    WARNING = "33"
    BAD = "1;31"


VERDICT_STYLES: Mapping[str, Style] = {
    "accept": Style.GOOD,
    "reject": Style.BAD,
    "defer": Style.WARNING,
    "hold": Style.WARNING,
}


def has_colour(stream: IO[str]) -> bool:
    """Return whether to print in colour there: on a terminal that has some, unless NO_COLOR is set and not empty.

    https://no-color.org
    """
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def paint(text: str, style: Style | None, stream: IO[str] | None = None) -> str:
    """Return a text in a style where `stream` (standard output if not given) has colour, else as it is."""
    if style is None or not text or not has_colour(stream or sys.stdout):
        return text
    return f"\x1b[{style.value}m{text}\x1b[0m"


class Column(NamedTuple, Generic[T]):
    """One column. least, most: its width in cells where its texts are not known or have no room; style: None is plain.

    rank: the lowest is the last to be left out where the terminal is narrow, and the first to become wider.
    keep: it names the row, as other commands take it, so it gets the width that it needs before all others.
    """

    title: str
    text: Callable[[T], str]
    least: int
    most: int
    rank: int
    style: Callable[[T], Style | None] = lambda _: None
    keep: bool = False


class Table(Generic[T]):
    """Writes rows as they come, so every width is settled before the first. `width` 0: not a terminal.

    sample: the first rows, or all, where they are known by then: while any is cut, no column is wider than they need.
    """

    def __init__(self, columns: Sequence[Column[T]], width: int, sample: Sequence[T] = ()) -> None:
        self._cut = width > 0
        self._columns = list(_settle(columns, width, sample))

    def head(self) -> str:
        """Return the titles."""
        return self._line([(column.title, Style.HEADING) for column, _ in self._columns])

    def row(self, item: T) -> str:
        """Return the line of one item."""
        return self._line([(printable(column.text(item)), column.style(item)) for column, _ in self._columns])

    def _line(self, texts: Sequence[tuple[str, Style | None]]) -> str:
        padded = []
        for (text, style), (_, width) in zip(texts, self._columns, strict=True):
            shown = cut(text, width) if self._cut else text
            padded.append(paint(shown, style) + " " * (width - cells(shown)))
        return GAP.join(padded).rstrip()


def sampled(items: Iterable[T]) -> tuple[Sequence[T], Iterable[T]]:
    """Return the first items, to make a table for, and all items; without a terminal there is nothing to fit."""
    if not terminal_width():
        return (), items
    rest = iter(items)
    first = list(islice(rest, SAMPLE_ROWS))
    return first, chain(first, rest)


def terminal_width() -> int:
    """Return the width of the terminal that standard output is, in cells; 0 where it is not one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def write_line(line: str) -> None:
    """Write a line to standard output, without waiting for it; what its character set lacks is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    if not line.isascii() and encoding.lower() != "utf-8":
        line = line.encode(encoding, "backslashreplace").decode(encoding)
    sys.stdout.write(line + "\n")


def write_object(value: Any) -> None:
    """Write one JSON value on a line, without waiting for it (see `as_json`)."""
    sys.stdout.write(as_json(value) + "\n")


def fields(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of a list of labels and values: aligned, and wrapped to the terminal's width."""
    found = list(rows)
    indent = max((cells(label) for label, _ in found), default=0) + len(GAP)
    for label, value in found:
        yield from wrapped(value, paint(label, Style.HEADING) + " " * (indent - cells(label)), indent)


def wrapped(text: str, start: str, indent: int) -> Iterator[str]:
    """Yield a text after `start`, wrapped to the terminal's width; its other lines are indented.

    start: takes `indent` cells, colour aside. No word is broken, so that paths and commands can be copied.
    """
    width = terminal_width()
    lines = [text]
    if width:
        room = max(PROSE_COLUMNS_LEAST, min(width, PROSE_COLUMNS_MOST) - indent)
        lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    yield (start + lines[0]).rstrip()
    yield from (" " * indent + line for line in lines[1:])


def write_text(text: str) -> None:
    """Write a sentence or more to standard output, wrapped to the terminal's width."""
    for line in wrapped(text, "", 0):
        write_line(line)


class Progress:
    """A bar on stderr. shown: whether there is one; then `clear` comes before each line of output, `written` after."""

    def __init__(self, advance: Callable[[int], None] | None) -> None:
        self.shown = advance is not None
        self._advance = advance
        self._same_terminal = self.shown and sys.stdout.isatty()

    def advance(self, count: int) -> None:
        """Count on."""
        if self._advance is not None:
            self._advance(count)

    def clear(self) -> None:
        """Remove the bar from the line, until it is drawn the next time."""
        if self._same_terminal:
            click.echo(CLEAR_LINE, err=True, nl=False)

    def written(self) -> None:
        """Flush the line, so that it is on the terminal before the bar is drawn again."""
        if self._same_terminal:
            sys.stdout.flush()


@contextlib.contextmanager
def progress(label: str, total: int, least: int) -> Iterator[Progress]:
    """Show a bar on stderr while something runs: where stderr is a terminal, and `total` is `least` or more."""
    if total < least or not sys.stderr.isatty():
        yield Progress(None)
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield Progress(bar.update)


def printable_lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, each safe on a terminal."""
    for line in io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")):
        yield printable(line.rstrip("\n").expandtabs(TAB_COLUMNS))


def size(count: int) -> str:
    """Return a number of bytes as people read it: `312 B`, `4.2 kB`, `50 MB`."""
    if count < 1000:
        return f"{count} B"
    number = float(count)
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 999.5 or unit == "GB":
            break
    return f"{number:.1f} {unit}" if number < 9.95 else f"{number:.0f} {unit}"


def duration(seconds: float) -> str:
    """Return a span of time as people say it, in its two largest units: `45 s`, `3 h 12 min`, `5 d 2 h`."""
    left = int(max(0, seconds))
    parts: list[tuple[int, str]] = []
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "0 s"


def plural(count: int, noun: str, many: str = "") -> str:
    """Return a count with its noun: `1 file`, `1,200 files`; many: the plural where it does not end in -s."""
    return f"{count:,} {noun if count == 1 else many or f'{noun}s'}"


def cells(text: str) -> int:
    """Return how many cells of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def cut(text: str, width: int) -> str:
    """Return a text cut to `width` cells, with `…` for the rest."""
    if cells(text) <= width:
        return text
    kept, used = [], len(CUT)
    for char in text:
        used += _cells(char)
        if used > width:
            break
        kept.append(char)
    return "".join(kept) + CUT


def _cells(char: str) -> int:
    # Python's own tables: those of Debian 12's python3-wcwidth are of an older Unicode than its python3.
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _settle(columns: Sequence[Column[T]], width: int, sample: Sequence[T]) -> Iterator[tuple[Column[T], int]]:
    """Yield the columns there is room for, each with its width."""
    if width <= 0:
        yield from ((column, column.most) for column in columns)
        return
    room = width + len(GAP)
    narrow = NARROW_COLUMNS + len(GAP)
    needed = {column.title: _needed(column, sample) for column in columns}
    usual = {column.title: min(column.most, needed[column.title]) for column in columns}
    widths: dict[str, int] = {}
    ranked = sorted(columns, key=lambda column: column.rank)
    for column in ranked:
        least = min(usual[column.title], width) if column.keep else min(column.least, needed[column.title])
        narrow -= column.least + len(GAP)
        others = sum(usual[title] - used for title, used in widths.items()) if narrow < 0 else 0
        if least + len(GAP) + others > room and widths:
            break
        widths[column.title] = least
        room -= least + len(GAP)
    # What comes after the sample may need more than that did.
    later = needed if len(sample) < SAMPLE_ROWS else {column.title: column.most for column in columns}
    for wanted in (usual, needed, later):
        room = _grow(widths, wanted, room)
    yield from ((column, widths[column.title]) for column in columns if column.title in widths)


def _grow(widths: dict[str, int], wanted: Mapping[str, int], room: int) -> int:
    """Widen the columns evenly, the first ones first, up to what is wanted; return the room that is left."""
    while growing := [title for title, used in widths.items() if used < wanted[title]][: max(0, room)]:
        for title in growing:
            widths[title] += 1
        room -= len(growing)
    return room


def _needed(column: Column[T], sample: Sequence[T]) -> int:
    """Return the width that nothing in a column is cut at; without a sample, the most that it should have."""
    if not sample:
        return column.most
    return max(cells(column.title), *(cells(printable(column.text(item))) for item in sample))
