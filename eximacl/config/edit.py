"""Adding one entry to a list in a TOML file that people write, too. Pure: text in, text out.

Rule: nothing but the entry changes, comments and layout stay. What comes out is read again and compared with what went
in; where the two differ by more than the entry, `EditError` is raised, and the file is for people only.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

from eximacl.config.toml import toml

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'|"
    r"\#[^\n]*|[\[\]{}=\n]|[^\"'#\[\]{}=\n]+|.",
    re.DOTALL,
)
_OPEN, _CLOSE = "[{", "]}"


class EditError(Exception):
    """The file is written in a way that this program cannot change; the text says what a person would write."""


class _Statement(NamedTuple):
    """A header or a `key = value`: where it starts, where its value starts, and where it ends (before the newline)."""

    start: int
    value: int
    end: int


def add_entry(text: str, table: str, key: str, entry: str, comment: str = "") -> str:
    """Return the text with `entry` at the end of the array `key` of `[table]`. Raises EditError.

    comment: stands after the entry where that has a line of its own.
    """
    before = _read(text)
    array = _table(before, table).get(key)
    found = _find(text, table, key)
    if not isinstance(array, list) or found is None:
        raise EditError(_by_hand(table, key, entry))
    changed = _insert(text, found, toml(entry), comment)
    return _verified(before, changed, table, key, [*array, entry], _by_hand(table, key, entry))


def set_key(text: str, table: str, key: str, value: str) -> str:
    """Return the text with `key = "value"` in `[table]`, which is made at the end where there is none.

    Raises EditError, also where the key is there.
    """
    before = _read(text)
    newline = _newline(text)
    line = f"{key} = {toml(value)}"
    header = _header(text, table)
    if key in _table(before, table):
        raise EditError(f"{table}.{key} is set already")
    if header is not None:
        changed = f"{text[: header.end]}{newline}{line}{text[header.end :]}"
    else:
        gap = "" if not text else newline if text.endswith("\n") else newline * 2
        changed = f"{text}{gap}[{table}]{newline}{line}{newline}"
    return _verified(before, changed, table, key, value, f"write {line} below [{table}]")


def _verified(before: dict[str, Any], changed: str, table: str, key: str, value: Any, by_hand: str) -> str:
    expected = {**before, table: {**_table(before, table), key: value}}
    try:
        if tomllib.loads(changed) == expected:
            return changed
    except ValueError:
        pass
    raise EditError(by_hand)


def _by_hand(table: str, key: str, entry: str) -> str:
    return f"add {toml(entry)} to {table}.{key} yourself: it is not written as an array below [{table}]"


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise EditError(f"is not TOML: {error}") from None


def _table(found: dict[str, Any], table: str) -> dict[str, Any]:
    there = found.get(table)
    return there if isinstance(there, dict) else {}


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _header(text: str, table: str) -> _Statement | None:
    found = (one for one in _statements(text) if _is_header(text, one, table))
    return next(found, None)


def _find(text: str, table: str, key: str) -> _Statement | None:
    """Return the statement that sets a key of a table, where the table has a header of its own."""
    inside = False
    for one in _statements(text):
        if text[one.start] == "[":
            inside = _is_header(text, one, table)
        elif inside and text[one.start : one.value].rstrip("= \t").strip("\"'") == key:
            return one
    return None


def _is_header(text: str, one: _Statement, table: str) -> bool:
    line = text[one.start : one.end].partition("#")[0].strip()
    return line.startswith("[") and not line.startswith("[[") and line[1:-1].strip(" \t\"'") == table


def _statements(text: str) -> Iterator[_Statement]:
    """Yield the statements of a file. A value ends with its line, unless brackets keep it open."""
    start = value = -1
    depth = 0
    for token in _TOKEN.finditer(text):
        word = token[0]
        if start < 0:
            if word.isspace() or word.startswith("#"):
                continue
            start = token.start() + len(word) - len(word.lstrip())
        if word == "=" and not depth and value < 0:
            value = token.end()
        elif word in _OPEN:
            depth += 1
        elif word in _CLOSE:
            depth -= 1
        elif word == "\n" and depth <= 0:
            yield _Statement(start, value, _stripped(text, token.start()))
            start = value = -1
            depth = 0
    if start >= 0:
        yield _Statement(start, value, _stripped(text, len(text)))


def _stripped(text: str, end: int) -> int:
    return end - (end > 0 and text[end - 1] == "\r")


def _insert(text: str, found: _Statement, entry: str, comment: str) -> str:
    """Put one more entry before the bracket that closes the array of a statement."""
    last, close = _last_and_close(text, found)
    between = text[last:close]
    first = text[last - 1] == "["
    comma = "" if first or text[last - 1] == "," else ","
    if "\n" not in between:
        return f"{text[:last]}{comma}{'' if first else ' '}{entry}{text[last:]}"
    # The bracket has a line of its own, and so gets the entry; what stands before it may have a comment.
    line = text.rfind("\n", 0, close) + 1
    before = text[text.rfind("\n", 0, last) + 1 : last]
    indent = " " * 4 if first else before[: len(before) - len(before.lstrip(" \t"))]
    note = f"  # {comment}" if comment else ""
    return f"{text[:last]}{comma}{text[last:line]}{indent}{entry},{note}{_newline(text)}{text[line:]}"


def _last_and_close(text: str, found: _Statement) -> tuple[int, int]:
    """Return where the last thing that means something inside an array ends, and where its closing bracket is."""
    last = close = before = found.value
    for token in _TOKEN.finditer(text, found.value, found.end):
        word = token[0]
        if word.isspace() or word.startswith("#"):
            continue
        if word == "]":
            before, close = last, token.start()
        last = token.start() + len(word.rstrip())
    return before, close
