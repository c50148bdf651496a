"""Tables for people: as many columns as the terminal has room for, each row on one line.

Rule: what comes from outside is made printable here; nothing that a client or a file says reaches a terminal raw.
Where the output is no terminal, every column is printed and none is cut.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from eximacl.system.text import printable

T = TypeVar("T")

GAP = "  "
CUT = "…"
TAB_COLUMNS = 8


class Column(NamedTuple, Generic[T]):
    """One column. least, most: its width in cells; rank: the lowest is the last to go where the terminal is narrow."""

    title: str
    text: Callable[[T], str]
    least: int
    most: int
    rank: int


class Table(Generic[T]):
    """Writes rows as they come, so every width is settled before the first. `width` 0: no terminal."""

    def __init__(self, columns: Sequence[Column[T]], width: int) -> None:
        self._cut = width > 0
        self._columns = list(_settle(columns, width))

    def head(self) -> str:
        """Return the titles."""
        return self._line([column.title for column, _ in self._columns])

    def row(self, item: T) -> str:
        """Return the line of one item."""
        return self._line([printable(column.text(item)) for column, _ in self._columns])

    def _line(self, texts: Sequence[str]) -> str:
        widths = [width for _, width in self._columns]
        if self._cut:
            texts = [cut(text, width) for text, width in zip(texts, widths, strict=True)]
        padded = (text + " " * (width - cells(text)) for text, width in zip(texts, widths, strict=True))
        return GAP.join(padded).rstrip()


def terminal_width() -> int:
    """Return the width of the terminal that standard output is, in cells; 0 where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def write_line(line: str) -> None:
    """Write a line to standard output, without waiting for it; what its character set lacks is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    if not line.isascii() and encoding.lower() != "utf-8":
        line = line.encode(encoding, "backslashreplace").decode(encoding)
    sys.stdout.write(line + "\n")


def write_object(value: Any) -> None:
    """Write one JSON value on a line, without waiting for it; in ASCII, and without the one control sign in that."""
    sys.stdout.write(json.dumps(value).replace("\x7f", "\\u007f") + "\n")


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


def cells(text: str) -> int:
    """Return how many cells of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def cut(text: str, width: int) -> str:
    """Return a text cut to so many cells; what is missing is `…`."""
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
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _settle(columns: Sequence[Column[T]], width: int) -> Iterator[tuple[Column[T], int]]:
    """Yield the columns there is room for, each with its width."""
    if width <= 0:
        yield from ((column, column.most) for column in columns)
        return
    room = width + len(GAP)
    widths: dict[str, int] = {}
    ranked = sorted(columns, key=lambda column: column.rank)
    for column in ranked:
        needed = column.least + len(GAP)
        if needed > room and widths:
            break
        widths[column.title] = column.least
        room -= needed
    for column in ranked:
        if column.title in widths:
            more = max(0, min(column.most - column.least, room))
            widths[column.title] += more
            room -= more
    yield from ((column, widths[column.title]) for column in columns if column.title in widths)
