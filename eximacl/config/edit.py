"""Adds one entry to a list in a TOML file that people write, too. Pure: text in, text out.

tomlkit keeps comments and layout. The result is read again and compared with what was there before: where more than the
entry differs, `EditError` is raised and the file is left to its administrator.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any

from eximacl.config.toml import toml

# For an array that has no entry yet whose indent could be copied.
INDENT = " " * 4

_LINE_END = re.compile(r"\r?\n")


class EditError(Exception):
    """The file is written in a way that this program cannot change; the text says what a person would write."""


def add_entry(text: str, table: str, key: str, entry: str, comment: str = "") -> str:
    """Return the text with `entry` at the end of the array `key` of `[table]`. Raises EditError.

    comment: stands after the entry if that gets its own line.
    """
    before = _read(text)
    array = _table(before, table).get(key)
    by_hand = f"add {toml(entry)} to {table}.{key} by hand"
    if not isinstance(array, list):
        raise EditError(f"{by_hand}: it is not an array")

    def add(document: Any) -> None:
        _append(document[table][key], entry, comment, _newline(text))

    return _edited(text, add, _with(before, table, key, [*array, entry]), by_hand)


def set_key(text: str, table: str, key: str, value: str) -> str:
    """Return the text with `key = "value"` first in `[table]`, which is made at the end where there is none.

    Raises EditError, also where the key is there.
    """
    before = _read(text)
    if key in _table(before, table):
        raise EditError(f"{table}.{key} is set already")
    if text and not text.endswith("\n"):
        text += _newline(text)

    def add(document: Any) -> None:
        if table not in document:
            _make_table(document, table, text)
        _put_first(document[table], key, value, _newline(text))

    by_hand = f"write {key} = {toml(value)} below [{table}] by hand"
    return _edited(text, add, _with(before, table, key, value), by_hand)


def _edited(text: str, change: Callable[[Any], None], expected: dict[str, Any], by_hand: str) -> str:
    """Apply `change` to the parsed text and return it, if it then reads as `expected`. Raises EditError."""
    # Loads in 8 to 20 ms, and only the exemption of wrongly refused mail needs it.
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        change(document)
        changed = tomlkit.dumps(document)
        if tomllib.loads(changed) == expected:
            return changed
    # The library fails on some valid TOML; with which error depends on its version.
    except (TOMLKitError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        pass
    raise EditError(f"{by_hand}: the file is written in a way that this program cannot change")


def _append(array: Any, entry: str, comment: str, newline: str) -> None:
    *entries, last = _LINE_END.split(array.as_string())
    if not entries or last.strip() != "]":
        array.append(entry)
        return
    # The closing bracket has its own line, and so does the entry, with room for a comment.
    above = entries[-1]
    indent = above[: len(above) - len(above.lstrip())] if len(entries) > 1 else INDENT
    array.add_line(entry, indent=newline + indent, newline=False, comment=comment or None)


def _make_table(document: Any, table: str, text: str) -> None:
    import tomlkit

    newline = _newline(text)
    if text:
        document.add(tomlkit.ws(newline))
    made = tomlkit.table()
    made.trivia.trail = newline
    document.add(table, made)


def _put_first(table: Any, key: str, value: str, newline: str) -> None:
    """Put a key in before all others of a table.

    As its last one, it would stand behind the comment that introduces the next table.
    """
    import tomlkit
    from tomlkit.items import Table

    if not isinstance(table, Table):  # an inline table, or one in several places
        table[key] = value
        return
    item = tomlkit.item(value)
    item.trivia.trail = newline
    table.value.body.insert(0, (tomlkit.key(key), item))


def _with(before: dict[str, Any], table: str, key: str, value: Any) -> dict[str, Any]:
    return {**before, table: {**_table(before, table), key: value}}


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
