"""A message as a person reads it: its headers decoded, its text, what is attached. Pure.

Any bytes at all give a view, in a time that grows with their number; an unknown charset or a broken structure costs
that part and no more. The texts are those of the message: the caller must make them safe before printing them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32
from functools import partial
from itertools import count
from typing import Any, NamedTuple, TypeVar

from eximacl.mail.subject import codec_named, decoded

T = TypeVar("T")

# Nobody reads more on a terminal; `eximacl archive export` gives the whole message.
TEXT_CHARACTERS_MAX = 100_000
# Newsletters use a tenth of it for their text.
HTML_CHARACTERS_MAX = 1_000_000
# A hostile message may have a million parts.
PARTS_MAX = 200
# The parser makes all of them, at 20 µs each.
PARSED_PARTS_MAX = 10_000
# The parser compares each line with the boundaries of all parts around it, at 0.4 µs each; a message of 30 MB with one
# attached file takes a million comparisons.
COMPARISONS_MAX = 5_000_000
# The library reads a header's parameters in quadratic time: 1 ms for this many. A long file name takes half of them.
HEADER_CHARACTERS_MAX = 2_000

_BOUNDARY = re.compile(rb"boundary", re.IGNORECASE)
_BLOCK = re.compile(r"<\s*+/?+\s*+(?:p|br|div|tr|li|h[1-6]|table|blockquote|hr)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
# The library cannot read a number of several thousand digits, and no character has eight.
_NO_CHARACTER = re.compile(r"&#(?:\d{8,}|x[\da-f]{8,});?", re.IGNORECASE | re.ASCII)
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
# What is between these is not text.
_HIDDEN = tuple(
    (re.compile(start, re.IGNORECASE), re.compile(end, re.IGNORECASE))
    for start, end in (
        ("<!--", "-->"),
        (r"<script\b", r"</script\b[^<>]*>?"),
        (r"<style\b", r"</style\b[^<>]*>?"),
        (r"<head\b", r"</head\b[^<>]*>?"),
    )
)
# What the standard library is known to raise for a broken message.
_BROKEN = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Part(NamedTuple):
    """One part that is not shown. size: in bytes, decoded; None if unknown."""

    name: str
    type: str
    size: int | None


@dataclass(frozen=True)
class View:
    """A message to read. html: its text was made from HTML, since there is no other. cut: characters left out of it."""

    headers: tuple[tuple[str, str], ...]
    text: str
    html: bool
    cut: int
    parts: tuple[Part, ...]
    problem: str = ""


def view(data: bytes) -> View:
    """Return the view of a message, or of the beginning of one."""
    header_section, _, body = (b"", b"", data[1:]) if data.startswith(b"\n") else data.partition(b"\n\n")
    headers = _headers(header_section)
    try:
        parts = list(_leaves(_parse(data)))
    except _BROKEN:
        text, left = _cut(body.decode("utf-8", "replace"))
        return View(headers, text, False, left, (), "its parts cannot be separated; this is the whole body")
    shown = next((part for kind in ("text/plain", "text/html") for part in parts if _is_text(part, kind)), None)
    problems = [f"only the first {PARTS_MAX} parts are shown"] if len(parts) == PARTS_MAX else []
    text = "" if shown is None else _text(shown)
    is_html = shown is not None and shown.get_content_type() == "text/html"
    if is_html:
        if len(text) > HTML_CHARACTERS_MAX:
            problems.append(f"only the first {HTML_CHARACTERS_MAX} characters of the HTML were read")
        text = without_tags(text[:HTML_CHARACTERS_MAX])
    text, left = _cut(text)
    others = tuple(_part(part) for part in parts if part is not shown)
    return View(headers, text, is_html, left, others, "; ".join(problems))


def without_tags(text: str) -> str:
    """Return the text of HTML: no tags, no scripts, no comments; a new line where a block begins or ends."""
    for start, end in _HIDDEN:
        text = _without(text, start, end)
    text = _NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", _TAG.sub("", _BLOCK.sub("\n", text)))
    lines = (" ".join(line.split()) for line in html.unescape(text).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


class _ShortHeaders(Compat32):
    """Python's own policy, but it reads only the beginning of a long header."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:HEADER_CHARACTERS_MAX]


def _parse(data: bytes) -> Message:
    """Parse a message. Raises ValueError for one that would take too long."""
    if data.count(b"\n") * (1 + len(_BOUNDARY.findall(data))) > COMPARISONS_MAX:
        raise ValueError("too many lines in too many parts")
    made = count()

    def make(**given: Any) -> Message:
        if next(made) > PARSED_PARTS_MAX:
            raise ValueError("too many parts")
        return Message(**given)

    return BytesParser(make, policy=_ShortHeaders()).parsebytes(data)


def _without(text: str, start: re.Pattern[str], end: re.Pattern[str]) -> str:
    """Cut out everything from each `start` to the next `end`; without one, to the end of the text."""
    kept, at = [], 0
    while found := start.search(text, at):
        kept.append(text[at : found.start()])
        closing = end.search(text, found.end())
        if closing is None:
            return "".join(kept)
        at = closing.end()
    return "".join((*kept, text[at:]))


def _headers(section: bytes) -> tuple[tuple[str, str], ...]:
    """Return each header with its value decoded, in order; lines that are not headers are left out."""
    block = section.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")
    found: list[tuple[str, str]] = []
    for line in re.sub(r"\n[ \t]", " ", block).split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            found.append((name.strip(), _safely(partial(decoded, value), value)))
    return tuple(found)


def _leaves(message: Message) -> Iterator[Message]:
    """Yield the parts with content, without those of an attached message, at most PARTS_MAX of them."""
    waiting, count = [message], 0
    while waiting and count < PARTS_MAX:
        part = waiting.pop()
        payload: Any = part.get_payload()
        if isinstance(payload, list) and part.get_content_maintype() == "multipart":
            waiting += reversed(payload)
        else:
            count += 1
            yield part


def _is_text(part: Message, kind: str) -> bool:
    attached = _safely(lambda: part.get_content_disposition() == "attachment", False)
    return part.get_content_type() == kind and not attached and not part.is_multipart()


def _text(part: Message) -> str:
    data = _payload(part) or b""
    charset = _safely(part.get_content_charset, None) or "utf-8"
    try:
        return data.decode(codec_named(charset))
    except _BROKEN:
        return data.decode("utf-8", "replace")


def _payload(part: Message) -> bytes | None:
    found: Any = _safely(lambda: part.get_payload(decode=True), None)
    return found if isinstance(found, bytes) else None


def _part(part: Message) -> Part:
    name = _safely(part.get_filename, None) or ""
    data = _payload(part)
    return Part(_safely(lambda: decoded(name), name), part.get_content_type(), None if data is None else len(data))


def _cut(text: str) -> tuple[str, int]:
    return text[:TEXT_CHARACTERS_MAX], max(0, len(text) - TEXT_CHARACTERS_MAX)


def _safely(make: Callable[[], T], otherwise: T) -> T:
    try:
        return make()
    except _BROKEN:
        return otherwise
