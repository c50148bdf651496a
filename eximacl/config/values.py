"""From TOML to the values that options hold. Rule: one entry in KINDS is all that a new type of option needs.

A reader takes what stood in the file and returns the value, or raises `Refused` with what was expected.
"""

from __future__ import annotations

import math
import string
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from eximacl.config.localzone import local_zone
from eximacl.config.problems import Missing, Refused, Site, nearest, unknown
from eximacl.config.settings import (
    NARROW_EXEMPT_TABLE,
    REDACTABLE,
    FileMode,
    Redacted,
    Servers,
    StateUrl,
    Table,
    Template,
    named_table,
)
from eximacl.config.sources import Sources, bad_entries
from eximacl.config.tables import given_tables
from eximacl.config.toml import toml_key, toml_type
from eximacl.mail.hosts import parse_name_server
from eximacl.mail.lists import EntryList, Secrets
from eximacl.policy.declare import Named, Option, Tables, Text, tables_of
from eximacl.policy.engine import MESSAGE_FIELDS, Exempt
from eximacl.state import absolute_url, forms

T = TypeVar("T")

# Stands in KINDS for all types such as tuple[Literal["a", "b"], ...].
CHOICES = "tuple[Literal]"


class Given(NamedTuple):
    """What stood in the file for an option, and what is needed to read it."""

    raw: Any
    option: Option
    site: Site
    sources: Sources


class Value(NamedTuple):
    """The value of an option, and what stands for it in TOML."""

    value: Any
    raw: Any


class Kind(NamedTuple):
    """One type of option. expected: for errors; word: for tables in the docs, given the option's type."""

    expected: str
    read: Callable[[Given], Any]
    word: Callable[[Any], str]


Values = dict[str, Value]


def read_table(table: Table, raw: Any, site: Site, sources: Sources) -> Values:
    """Read a whole table, defaults in the place of what is not given. Problems are collected, their keys left out."""
    values = read_given(table, raw, site, sources)
    given = raw if isinstance(raw, dict) else {}
    for option in table.options:
        if option.name not in given:
            value = _read_default(option, site.at(option.name), sources)
            if value is not None:
                values[option.name] = value
    return values


def read_given(table: Table, raw: Any, site: Site, sources: Sources) -> Values:
    """Read the options that a table gives. Problems are collected, their keys left out."""
    if not isinstance(raw, dict):
        site.report(f"expected a table, got {toml_type(raw)}")
        return {}
    values: Values = {}
    for name, one in raw.items():
        option = table.get(name)
        if option is None:
            site.at(name).report(unknown("key", name, (option.name for option in table.options)))
            continue
        try:
            values[name] = Value(read_value(option, one, site.at(name), sources), one)
        except Refused as refused:
            site.at(name).report(*refused.messages)
    return values


def read_value(option: Option, raw: Any, site: Site, sources: Sources) -> Any:
    """Return the value that TOML's `raw` means for `option`. Raises Refused."""
    return kind_of(option.type).read(Given(raw, option, site, sources))


def _read_default(option: Option, site: Site, sources: Sources) -> Value | None:
    if option.default is None:
        site.report(f"must be set: {option.help}")
        return None
    raw = list(option.default) if isinstance(option.default, tuple) else option.default
    try:
        return Value(read_value(option, raw, site, sources), raw)
    except Missing:  # a list that nobody has asked for: a short policy needs no files
        return Value(option.type(), [])
    except Refused as refused:
        site.report(*refused.messages)
    return None


def kind_of(annotation: Any) -> Kind:
    """Return the kind of an option's type. Raises TypeError for a type that no entry of KINDS covers."""
    bases = annotation.__mro__ if isinstance(annotation, type) else ()
    several = CHOICES if get_origin(annotation) is tuple and get_origin(get_args(annotation)[0]) is Literal else None
    for candidate in (annotation, several, get_origin(annotation), *bases):
        if candidate in KINDS:
            return KINDS[candidate]
    raise TypeError(f"options cannot be of type {annotation}; use one of {', '.join(map(_type_name, KINDS))}")


def _typed(given: Given, kind: type[T]) -> T:
    raw = given.raw
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise Refused(f"expected {kind_of(given.option.type).expected}, got {toml_type(raw)}")
    return raw


def _bounded(given: Given, number: T) -> T:
    low, high = given.option.minimum, given.option.maximum
    assert isinstance(number, int | float)
    if (low is not None and number < low) or (high is not None and number > high):
        bounds = " and ".join(
            f"{word} {bound}" for word, bound in (("at least", low), ("at most", high)) if bound is not None
        )
        raise Refused(f"expected {bounds}, got {number}")
    return number


def _boolean(given: Given) -> bool:
    return _typed(given, bool)


def _integer(given: Given) -> int:
    if isinstance(given.raw, float):
        raise Refused(f"expected a whole number, got {given.raw}")
    return _bounded(given, _typed(given, int))


def _number(given: Given) -> float:
    raw = given.raw if isinstance(given.raw, float) else _typed(given, int)
    if isinstance(raw, float) and not math.isfinite(raw):
        raise Refused(f"expected a finite number, got {raw}")
    return float(_bounded(given, raw))


def _string(given: Given) -> str:
    return _typed(given, str)


def _strings(given: Given) -> tuple[str, ...]:
    for number, entry in enumerate(_typed(given, list), 1):
        if not isinstance(entry, str):
            raise Refused(f"entry {number}: expected a string, got {toml_type(entry)}")
    return tuple(given.raw)


def _redacted(given: Given) -> tuple[str, ...]:
    entries = _strings(given)
    wrong = [f"{entry}: {unknown('name', entry, REDACTABLE)}" for entry in entries if entry not in REDACTABLE]
    if wrong:
        raise Refused(*wrong)
    return entries


def _choice(given: Given) -> str:
    return _one_of(get_args(given.option.type), _typed(given, str))


def _choices(given: Given) -> tuple[str, ...]:
    choices = get_args(get_args(given.option.type)[0])
    return tuple(dict.fromkeys(_one_of(choices, entry) for entry in _strings(given)))


def _one_of(choices: tuple[str, ...], text: str) -> str:
    if text not in choices:
        near = nearest(text, choices)
        hint = f"; did you mean {near}?" if near else ""
        raise Refused(f"expected one of {', '.join(choices)}, got {text!r}{hint}")
    return text


def _path(given: Given) -> Path:
    text = _typed(given, str)
    if not text:
        raise Refused("the path is empty")
    if "\0" in text:
        raise Refused("a path cannot contain a NUL character")
    return given.site.path(text)


def _optional_path(given: Given) -> Path | None:
    return None if given.raw == "" else _path(given)


def _file_mode(given: Given) -> int:
    text = _typed(given, str)
    if not text or len(text) > 4 or set(text) - set(string.octdigits) or int(text, 8) > 0o777:
        raise Refused(f'expected permissions in octal, such as "0660", got {text!r}')
    return int(text, 8)


def _servers(given: Given) -> tuple[str, ...]:
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


def _state_url(given: Given) -> str:
    try:
        return absolute_url(_typed(given, str), given.site.path)
    except ValueError as error:
        raise Refused(str(error)) from None


def _template(given: Given) -> str:
    return _with_fields(_typed(given, str), MESSAGE_FIELDS)


def _text(given: Given) -> Text:
    kind: type[Text] = given.option.type
    return kind(_with_fields(_typed(given, str), kind.fields))


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


def _zone(given: Given) -> zoneinfo.ZoneInfo:
    name = _typed(given, str)
    try:
        return zoneinfo.ZoneInfo(name) if name else local_zone()
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused(f'unknown time zone {name!r}; expected a name such as Europe/Helsinki, or ""') from None


def _list(given: Given) -> EntryList:
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
            raise Missing(f"{missing}; a string names a file or a directory, entries stand in an array") from None
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


def _secrets(given: Given) -> EntryList:
    if given.raw in ("", []):
        return given.option.type()  # type: ignore[no-any-return]
    if not isinstance(given.raw, str):
        raise Refused(f"expected the path of a file, got {toml_type(given.raw)}; secrets do not belong in this file")
    path = _path(given)
    # The text may be the secret itself, put where its file's name belongs: it is not shown.
    if not _is_there(path):
        raise Missing("names a file that holds the key; that file does not exist")
    return given.sources.open(path, given.option.type)  # type: ignore[no-any-return]


def _is_there(path: Path) -> bool:
    """Tell whether there is such a file; one in a directory that we may not look into could be."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _exempt(given: Given) -> Exempt:
    values = read_given(NARROW_EXEMPT_TABLE, _typed(given, dict), given.site, given.sources)
    return Exempt(**{name: value.value for name, value in values.items()})


def _tables(given: Given) -> Tables[Named]:
    """Read named tables. What is wrong in one of them is reported where it stands there."""
    kind = tables_of(given.option)
    assert kind is not None
    table = named_table(given.site.key, kind)
    raws = given_tables(given.raw, table, KINDS[Tables].expected)
    made = [_named(kind, name, raw, given.site.at(toml_key(name)), given.sources) for name, raw in raws.items()]
    if None in made:
        raise Refused
    return Tables(one for one in made if one is not None)


def _named(kind: type[Named], name: str, raw: Any, site: Site, sources: Sources) -> Named | None:
    table = named_table(site.key, kind)
    values = read_table(table, raw, site, sources)
    if len(values) < len(table.options):
        return None
    try:
        return kind(name=name, **{key: value.value for key, value in values.items()})
    except ValueError as error:
        site.report(str(error))
        return None


def _says(word: str) -> Callable[[Any], str]:
    return lambda _: word


def _type_name(annotation: Any) -> str:
    return str(getattr(annotation, "__name__", annotation))


KINDS: dict[Any, Kind] = {
    bool: Kind("true or false", _boolean, _says("true or false")),
    int: Kind("a whole number", _integer, _says("whole number")),
    float: Kind("a number", _number, _says("number")),
    str: Kind("a string", _string, _says("string")),
    Literal: Kind(
        "a string", _choice, lambda annotation: " or ".join(f'"{choice}"' for choice in get_args(annotation))
    ),
    CHOICES: Kind(
        "an array of strings",
        _choices,
        lambda annotation: "array of " + " or ".join(f'"{one}"' for one in get_args(get_args(annotation)[0])),
    ),
    tuple[str, ...]: Kind("an array of strings", _strings, _says("array of strings")),
    Redacted: Kind(
        "an array of strings", _redacted, _says("array of " + " or ".join(f'"{name}"' for name in REDACTABLE))
    ),
    Path: Kind("a path", _path, _says("path")),
    Path | None: Kind("a path", _optional_path, _says('path, or ""')),
    FileMode: Kind('a string such as "0660"', _file_mode, _says("octal permissions")),
    Servers: Kind("an array of strings", _servers, _says("array of addresses")),
    StateUrl: Kind("a string such as sqlite:PATH", _state_url, _says(forms())),
    Template: Kind("a string", _template, _says("template")),
    Text: Kind(
        "a string", _text, lambda annotation: "template of " + ", ".join(map("{{{}}}".format, annotation.fields))
    ),
    zoneinfo.ZoneInfo: Kind("the name of a time zone", _zone, _says("time zone")),
    EntryList: Kind("an array, or the path of a list", _list, lambda annotation: str(annotation.kind)),
    Secrets: Kind("the path of a file", _secrets, lambda annotation: str(annotation.kind)),
    Exempt: Kind("a table", _exempt, _says("table")),
    Tables: Kind("tables, or an array of names", _tables, _says("tables, or array of names")),
}
