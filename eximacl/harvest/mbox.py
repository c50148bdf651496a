"""The messages of an mbox (RFC 4155), as mail programs really write it.

What separates two messages is a `From ` line with a date in it, before a header field. An empty line before it is
usual, but Thunderbird and others leave it out; and where the last line of a message had no end, the `From ` line is
glued to it. A `From ` line without a date is a line of somebody's text, unless it is the first of the file.
"""

from __future__ import annotations

import contextlib
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from eximacl.harvest.message import is_mail
from eximacl.system.files import open_regular

# As much as Exim takes (header_maxsize, Exim specification chapter 14); no message has more.
HEADER_BYTES_MAX = 1024 * 1024
READ_BYTES = 1024 * 1024
# A `From ` line has an address and a date; RFC 5321 section 4.5.3.1 allows 254 bytes for the first.
LINE_BYTES_MAX = 1024
# An empty line, perhaps of CR and LF, and the end of the line before it.
LOOK_BACK_BYTES = 4
# The longest beginning of the line after a `From ` line that is looked at: the name of a field.
FIELD_BYTES_MAX = 256
# A byte order mark and a few empty lines; more before the first message would be another kind of file.
LEADING_BYTES_MAX = 1024

GZIP = b"\x1f\x8b"
TOO_LONG = f"its header is longer than {HEADER_BYTES_MAX // 1024} KiB"
NO_DATE = "its From line has no date, so it was read as a part of the message before it"

_FROM = b"From "
_BOM = b"\xef\xbb\xbf"
_HEADER_END = re.compile(rb"\n\r?\n")
# What can follow a `From ` line. Otherwise that is a line of a body that nobody quoted.
_FIRST_FIELD = re.compile(rb">?(?:[!-9;-~]+[ \t]*:|From )")
# `Thu Nov 26 19:08:37 2026`, with a zone or without seconds, or any other date with a year and a time.
_YEAR = re.compile(rb"(?<!\d)(?:19|20)\d\d(?!\d)")
_TIME = re.compile(rb"(?<!\d)\d?\d:\d\d(?!\d)")
# A whole line as programs write it, which text before it does not hide.
_GLUED = re.compile(
    rb"From \S+ +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d"
    rb" \d\d:\d\d(?::\d\d)?(?: [+-]?\w+)? \d{4}(?: [+-]\d{4})?\s*"
)


class MboxMessage(NamedTuple):
    """The `From ` line and the header of a message. problem: why it was not read; the header is empty then."""

    line: bytes
    header: bytes
    problem: str = ""


def without_preamble(data: bytes) -> bytes:
    """Return the data without a byte order mark and empty lines at its beginning, which editors and exports leave."""
    return data.removeprefix(_BOM).lstrip(b"\r\n")


def is_mbox(data: bytes) -> bool:
    """Return whether data, the first LEADING_BYTES_MAX of a file or more, begins as an mbox does."""
    return without_preamble(data).startswith(_FROM)


@contextlib.contextmanager
def open_mbox(path: str, start: int = 0) -> Iterator[BinaryIO]:
    """Open an mbox at a byte; a compressed one at its beginning. Raises OSError."""
    with open_regular(Path(path)) as plain:
        compressed = plain.read(len(GZIP)) == GZIP
        plain.seek(0 if compressed else start)
        if not compressed:
            yield plain
            return
        with gzip.GzipFile(fileobj=plain) as file:
            yield cast("BinaryIO", file)


def mbox_messages(file: BinaryIO, start: int = 0, end: int = 0) -> Iterator[MboxMessage]:
    """Yield each message whose `From ` line begins at `start` or after, and before `end` (0: all).

    file: positioned LOOK_BACK_BYTES before `start`, or at 0. What looks like a message and is not read as one is
    yielded with its problem.
    """
    window = _Window(file, start)
    while window.find_from(end):
        kind = window.kind()
        if not kind:
            window.at += 1
            continue
        message = window.message()
        if kind == "separator":
            if message.header or message.problem:  # else another `From ` line follows, which has the message
                yield message
        elif is_mail(message.header):
            yield MboxMessage(message.line, b"", NO_DATE)


class _Window:
    """The part of an mbox that is in memory. at: an index into `data`; find_from moves it to the next `From `."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file = file
        self._start = start
        self._base = max(start - LOOK_BACK_BYTES, 0)
        self.data = b""
        self.at = 0
        # Where the first message of the file begins.
        self._first = -1
        if not start:
            self._more()
            self._first = self.at = len(self.data) - len(without_preamble(self.data))

    @property
    def position(self) -> int:
        """Where `at` is in the file, in bytes."""
        return self._base + self.at

    def find_from(self, end: int) -> bool:
        """Go to the next `From ` at `start` or after; False: there is none before `end` (0: at all)."""
        while not end or self.position < end:
            found = self.data.find(_FROM, self.at)
            if found < 0:
                # The last few bytes may be the beginning of one.
                self.at = max(self.at, len(self.data) - len(_FROM) + 1)
                if not self._more():
                    return False
                continue
            self.at = found
            if self.position >= self._start:
                return not end or self.position < end
            self.at += 1
        return False

    def kind(self) -> str:
        """Return what the `From ` at `at` is: "separator", "undated" (it may be one), or "" (text)."""
        begins = self.position == self._first or (self.at > 0 and self.data[self.at - 1 : self.at] == b"\n")
        line_end = self._line_end()
        line = self.data[self.at : line_end]
        if line_end < 0 or not _FIRST_FIELD.match(self.data, line_end + 1):
            return ""
        if not begins:
            return "separator" if _GLUED.fullmatch(line) and not self._is_quoted() else ""
        if self.position == self._first or _is_dated(line):
            return "separator"
        # An empty line ends in LF LF, or in LF CR LF.
        before = self.data[max(self.at - 3, 0) : self.at]
        return "undated" if before.endswith((b"\n\n", b"\n\r\n")) else ""

    def message(self) -> MboxMessage:
        """Return the message whose `From ` line is at `at`, and go behind its header."""
        header_end = self._header_end()
        line_end = self.data.find(b"\n", self.at)
        line, header = self.data[self.at : line_end], self.data[line_end + 1 : header_end]
        self.at = max(header_end, line_end + 1)
        return MboxMessage(line, b"", TOO_LONG) if len(header) > HEADER_BYTES_MAX else MboxMessage(line, header)

    def _line_end(self) -> int:
        """Return where the line at `at` ends; -1: it is too long. The next line's field is in memory then, too."""
        while True:
            end = self.data.find(b"\n", self.at, self.at + LINE_BYTES_MAX)
            known = len(self.data) - self.at > LINE_BYTES_MAX + FIELD_BYTES_MAX
            if known or not self._more():
                # Reading on has moved all indexes.
                return end if known else self.data.find(b"\n", self.at, self.at + LINE_BYTES_MAX)

    def _is_quoted(self) -> bool:
        """Return whether the `From ` in the middle of a line is a quotation, or follows a word."""
        before = self.data[max(self.at - 2, 0) : self.at]
        return before[-1:] in (b" ", b"\t") or before in (b"\n>", b">>", b" >")

    def _header_end(self) -> int:
        """Return where the header of the message at `at` ends: at an empty line, the next message, or the end."""
        while True:
            match = _HEADER_END.search(self.data, self.at)
            if match is not None or len(self.data) - self.at > HEADER_BYTES_MAX + LINE_BYTES_MAX or not self._more():
                break
        end = len(self.data) if match is None else match.start() + 1
        return self._cut(end)

    def _cut(self, end: int) -> int:
        """Return where the next message begins before `end`, since a message without a text may lack the empty line."""
        found = self.data.find(b"\n" + _FROM, self.at, end)
        while found >= 0:
            line_end = self.data.find(b"\n", found + 1, end)
            if line_end >= 0 and _is_dated(self.data[found + 1 : line_end]):
                return found + 1
            found = self.data.find(b"\n" + _FROM, found + 1, end)
        return end

    def _more(self) -> bool:
        """Read on, and forget what lies well before `at`; False: the file has ended."""
        read = self._file.read(READ_BYTES)
        forgotten = max(self.at - LOOK_BACK_BYTES, 0)
        self.data = self.data[forgotten:] + read
        self._base += forgotten
        self.at -= forgotten
        return bool(read)


def _is_dated(line: bytes) -> bool:
    return len(line) <= LINE_BYTES_MAX and bool(_YEAR.search(line) and _TIME.search(line))
