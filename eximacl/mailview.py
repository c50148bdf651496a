"""A message as a person reads it: its headers decoded, its text, what is attached. Pure.

Rule: any bytes at all give a view, in a time that grows with their number; a charset that nobody knows, or a structure
that is broken, costs that part and no more. The texts hold what the message holds: whoever prints them makes them safe.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from functools import partial
from typing import Any, NamedTuple, TypeVar

from eximacl.archive.subject import decoded

T = TypeVar("T")

# More is no text that anybody reads on a terminal; the whole message is one `export` away.
TEXT_CHARACTERS_MAX = 100_000
# A hostile message may have a million parts.
PARTS_MAX = 200

_BLOCK = re.compile(r"<\s*/?\s*(?:p|br|div|tr|li|h[1-6]|table|blockquote|hr)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
# What stands between these is not text.
_HIDDEN = tuple(
    (re.compile(start, re.IGNORECASE), re.compile(end, re.IGNORECASE))
    for start, end in (
        ("<!--", "-->"),
        (r"<script\b", r"</script\b[^<>]*>?"),
        (r"<style\b", r"</style\b[^<>]*>?"),
        (r"<head\b", r"</head\b[^<>]*>?"),
    )
)
# Everything that the standard library has been seen to raise for a broken message.
_BROKEN = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Part(NamedTuple):
    """One part that is not shown. size: in bytes, decoded; None where that cannot be told."""

    name: str
    type: str
    size: int | None


@dataclass(frozen=True)
class View:
    """html: the text was made of HTML, since there is no other. cut: how many characters of the text are left out."""

    headers: tuple[tuple[str, str], ...]
    text: str
    html: bool
    cut: int
    parts: tuple[Part, ...]
    problem: str = ""


def view(data: bytes) -> View:
    """Return the view of a message, or of the beginning of one."""
    headers = _headers(data)
    try:
        parts = list(_leaves(BytesParser().parsebytes(data)))
    except _BROKEN:
        body = data.partition(b"\n\n")[2].decode("utf-8", "replace")
        text, left = _cut(body)
        return View(headers, text, False, left, (), "its parts cannot be told apart; this is the body as it is")
    shown = next((part for kind in ("text/plain", "text/html") for part in parts if _is_text(part, kind)), None)
    text, is_html = "", False
    if shown is not None:
        is_html = shown.get_content_type() == "text/html"
        text = _text(shown)
        text = without_tags(text) if is_html else text
    text, left = _cut(text)
    others = tuple(_part(part) for part in parts if part is not shown)
    problem = f"only the first {PARTS_MAX} parts are told" if len(parts) == PARTS_MAX else ""
    return View(headers, text, is_html, left, others, problem)


def without_tags(text: str) -> str:
    """Return the text of HTML: no tags, no scripts, no comments; a new line where a block begins or ends."""
    for start, end in _HIDDEN:
        text = _without(text, start, end)
    text = _TAG.sub("", _BLOCK.sub("\n", text))
    lines = (" ".join(line.split()) for line in html.unescape(text).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


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


def _headers(data: bytes) -> tuple[tuple[str, str], ...]:
    """Return each header with its value decoded, in order, those that are no headers left out."""
    block = data.partition(b"\n\n")[0].replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")
    found: list[tuple[str, str]] = []
    for line in re.sub(r"\n[ \t]", " ", block).split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            found.append((name.strip(), _safely(partial(decoded, value), value)))
    return tuple(found)


def _leaves(message: Message) -> Iterator[Message]:
    """Yield the parts that hold something, without those of an attached message, at most PARTS_MAX of them."""
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
        return data.decode(charset)
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
