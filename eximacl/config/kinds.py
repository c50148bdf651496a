"""The types that an option may have. One entry in KINDS is all that a new one needs.

A reader takes what stood in the file and returns the option's value, or raises `Refused` with what was expected.
"""

from __future__ import annotations

import json
import math
import string
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from eximacl.config.list_files import bad_entries
from eximacl.config.problems import Missing, Refused, Site, nearest, unknown
from eximacl.config.settings import REDACTABLE, FileMode, Redacted, Separators, Servers, StateUrl, Template
from eximacl.config.sources import Sources
from eximacl.config.toml import toml, toml_type
from eximacl.mail.entry_list import EntryList
from eximacl.mail.hosts import parse_name_server
from eximacl.mail.lists import Secrets
from eximacl.policy.declare import Option, Text
from eximacl.policy.message import MESSAGE_FIELDS
from eximacl.state import absolute_url, forms
from eximacl.system.times import local_zone

T = TypeVar("T")

# Stands in KINDS for all types such as tuple[Literal["a", "b"], ...].
CHOICES = "tuple[Literal[...], ...]"
STRINGS = "an array of strings"


class RawValue(NamedTuple):
    """What stood in the file for an option, and what is needed to read it. expected: its type, for errors."""

    raw: Any
    option: Option
    site: Site
    sources: Sources
    expected: str


# What is neither a letter nor a digit in a localpart without quotes (RFC 5321, section 4.1.2).
TAG_CHARACTERS = "!#$%&'*+-./=?^_`{|}~"


class Kind(NamedTuple):
    """One type of option. expected: for errors; word: for tables in the docs, given the option's type."""

    expected: str
    read: Callable[[RawValue], Any]
    word: Callable[[Any], str]


def typed(given: RawValue, kind: type[T]) -> T:
    """Return the raw value, which must be of this type. Raises Refused."""
    raw = given.raw
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        hint = f"; write [{json.dumps(raw)}]" if isinstance(raw, str) and given.expected == STRINGS else ""
        raise Refused(f"expected {given.expected}, got {toml_type(raw)}{hint}")
    return raw


def _bounded(given: RawValue, number: T) -> T:
    low, high = given.option.minimum, given.option.maximum
    assert isinstance(number, int | float)
    if (low is not None and number < low) or (high is not None and number > high):
        bounds = " and ".join(
            f"{word} {bound}" for word, bound in (("at least", low), ("at most", high)) if bound is not None
        )
        raise Refused(f"expected {bounds}, got {number}")
    return number


def _boolean(given: RawValue) -> bool:
    return typed(given, bool)


def _integer(given: RawValue) -> int:
    if isinstance(given.raw, float):
        raise Refused(f"expected a whole number, got {given.raw}")
    return _bounded(given, typed(given, int))


def _number(given: RawValue) -> float:
    raw = given.raw if isinstance(given.raw, float) else typed(given, int)
    if isinstance(raw, float) and not math.isfinite(raw):
        raise Refused(f"expected a finite number, got {raw}")
    return float(_bounded(given, raw))


def _string(given: RawValue) -> str:
    return typed(given, str)


def _strings(given: RawValue) -> tuple[str, ...]:
    for number, entry in enumerate(typed(given, list), 1):
        if not isinstance(entry, str):
            raise Refused(f"entry {number}: expected a string, got {toml_type(entry)}")
    return tuple(given.raw)


def _redacted(given: RawValue) -> tuple[str, ...]:
    entries = _strings(given)
    wrong = [f"{entry}: {unknown('name', entry, REDACTABLE)}" for entry in entries if entry not in REDACTABLE]
    if wrong:
        raise Refused(*wrong)
    return entries


def _choice(given: RawValue) -> str:
    return _one_of(get_args(given.option.type), typed(given, str))


def _choices(given: RawValue) -> tuple[str, ...]:
    choices = get_args(get_args(given.option.type)[0])
    return tuple(dict.fromkeys(_one_of(choices, entry) for entry in _strings(given)))


def _one_of(choices: tuple[str, ...], text: str) -> str:
    if text not in choices:
        near = nearest(text, choices)
        hint = f"; did you mean {near}?" if near else ""
        raise Refused(f"expected one of {', '.join(choices)}, got {text!r}{hint}")
    return text


def _path(given: RawValue) -> Path:
    text = typed(given, str)
    if not text:
        raise Refused("the path is empty")
    if "\0" in text:
        raise Refused("a path cannot contain a NUL character")
    return given.site.path(text)


def _optional_path(given: RawValue) -> Path | None:
    return None if given.raw == "" else _path(given)


def _file_mode(given: RawValue) -> int:
    text = typed(given, str)
    if not text or len(text) > 4 or set(text) - set(string.octdigits) or int(text, 8) > 0o777:
        raise Refused(f'expected permissions in octal, such as "0660", got {text!r}')
    return int(text, 8)


def _servers(given: RawValue) -> tuple[str, ...]:
    entries = _strings(given)
    wrong = []
    for entry in entries:
        try:
            parse_name_server(entry)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise Refused(*wrong)
    return entries


def _state_url(given: RawValue) -> str:
    try:
        return absolute_url(typed(given, str), given.site.path)
    except ValueError as error:
        raise Refused(str(error)) from None


def _template(given: RawValue) -> str:
    return _with_fields(typed(given, str), MESSAGE_FIELDS)


def _separators(given: RawValue) -> str:
    """Read the characters that start a tag; a letter among them would cut every name that has it."""
    text = typed(given, str)
    wrong = "".join(dict.fromkeys(character for character in text if character not in TAG_CHARACTERS))
    if wrong:
        raise Refused(f"{wrong!r} cannot start a tag; expected some of {TAG_CHARACTERS}")
    return text


def _text(given: RawValue) -> Text:
    kind: type[Text] = given.option.type
    return kind(_with_fields(typed(given, str), kind.fields))


def _with_fields(text: str, known: tuple[str, ...]) -> str:
    try:
        fields = [part[1:] for part in string.Formatter().parse(text) if part[1] is not None]
    except ValueError as error:
        raise Refused(f"{error}; for a brace itself write {{{{ or }}}}") from None
    wrong = []
    for name, layout, conversion in fields:
        if name not in known:
            wrong.append(f"{{{name}}}: {unknown('field', str(name), known)}")
        elif layout or conversion:
            wrong.append(f"{{{name}}}: write the field's name alone between the braces")
    if wrong:
        raise Refused(*wrong)
    return text


def _zone(given: RawValue) -> zoneinfo.ZoneInfo:
    name = typed(given, str)
    try:
        return zoneinfo.ZoneInfo(name) if name else local_zone()
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused(f'unknown time zone {name!r}; expected a name such as Europe/Helsinki, or ""') from None


def _list(given: RawValue) -> EntryList:
    """Read an array, or a path to a file or directory; for lists with texts also a table of texts."""
    raw = given.raw
    kind: type[EntryList] = given.option.type
    if kind.private:
        return _secrets(given)
    if isinstance(raw, str):
        path = _path(given)
        try:
            return given.sources.open(path, kind)
        except Missing as missing:
            raise Missing(
                f"{missing}; a string names a file or a directory; for an entry write [{toml(raw)}]"
            ) from None
    if isinstance(raw, dict) and kind.texts:
        raw = [_with_text(who, text) for who, text in raw.items()]
    entries = _strings(given._replace(raw=raw))
    return _from_array(kind, entries)


def _with_text(who: str, text: Any) -> str:
    if not isinstance(text, str):
        raise Refused(f"{who}: expected a string, got {toml_type(text)}")
    return f"{who} {text}"


def _from_array(kind: type[EntryList], entries: tuple[str, ...]) -> EntryList:
    try:
        return kind(entries)
    except ValueError as error:
        found = [f"entry {number}: {reason}" for number, reason in bad_entries(kind, enumerate(entries, 1))]
        raise Refused(*(found or [str(error)])) from None


def _secrets(given: RawValue) -> EntryList:
    if given.raw in ("", []):
        return given.option.type()  # type: ignore[no-any-return]
    if not isinstance(given.raw, str):
        raise Refused(f"expected the path of a file, got {toml_type(given.raw)}; secrets do not belong in this file")
    path = _path(given)
    if not _is_there(path):
        raise Missing(f"names a file that holds the key; {_place(given, path)} does not exist")
    return given.sources.open(path, given.option.type)  # type: ignore[no-any-return]


def _place(given: RawValue, path: Path) -> str:
    """Return a path as errors may show it: without its name where that may be the secret itself."""
    is_path = "/" in given.raw and path.parent.is_dir() and path.parent != Path("/")
    if is_path:
        return str(path)
    directory = given.site.shown(path.parent)
    return "that file" if directory == "." else f"that file in {directory}"


def _is_there(path: Path) -> bool:
    """Return whether there is such a file; in a directory that we may not enter there could be."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _alternatives(choices: Sequence[str]) -> str:
    *others, last = [f'"{choice}"' for choice in choices]
    return f"{', '.join(others)} or {last}" if others else last


def says(word: str) -> Callable[[Any], str]:
    """Return a function that gives every type the same word."""
    return lambda _: word


KINDS: Mapping[Any, Kind] = {
    bool: Kind("true or false", _boolean, says("true or false")),
    int: Kind("a whole number", _integer, says("whole number")),
    float: Kind("a number", _number, says("number")),
    str: Kind("a string", _string, says("string")),
    Literal: Kind("a string", _choice, lambda annotation: _alternatives(get_args(annotation))),
    CHOICES: Kind(
        STRINGS,
        _choices,
        lambda annotation: "array of " + _alternatives(get_args(get_args(annotation)[0])),
    ),
    tuple[str, ...]: Kind(STRINGS, _strings, says("array of strings")),
    Redacted: Kind(STRINGS, _redacted, says("array of " + _alternatives(REDACTABLE))),
    Path: Kind("a path", _path, says("path")),
    Path | None: Kind("a path", _optional_path, says('path, or ""')),
    FileMode: Kind('a string such as "0660"', _file_mode, says("octal permissions")),
    Servers: Kind(STRINGS, _servers, says("array of addresses")),
    StateUrl: Kind("a string such as sqlite:PATH", _state_url, says(forms())),
    Template: Kind("a string", _template, says("template")),
    Separators: Kind("a string", _separators, says("string")),
    Text: Kind(
        "a string", _text, lambda annotation: "template of " + ", ".join(map("{{{}}}".format, annotation.fields))
    ),
    zoneinfo.ZoneInfo: Kind("the name of a time zone", _zone, says("time zone")),
    EntryList: Kind("an array, or the path of a list", _list, lambda annotation: str(annotation.kind)),
    Secrets: Kind("the path of a file", _secrets, lambda annotation: str(annotation.kind)),
}
