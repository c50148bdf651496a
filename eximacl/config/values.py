"""From TOML to the values that options hold: whole tables, and the tables within an option.

A table of an option has the name that its administrator gave it:

zones = ["a.example", "b.example"]        # all defaults

[checks.dnsbl.zones."a.example"]          # the same with keys
weight = 2
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from eximacl.config import kinds
from eximacl.config.kinds import CHOICES, Kind, RawValue, says, typed
from eximacl.config.problems import Missing, Refused, Site, nearest, unknown
from eximacl.config.settings import NARROW_EXEMPT_TABLE, OptionTable, named_table
from eximacl.config.sources import Sources
from eximacl.config.toml import toml, toml_key, toml_type
from eximacl.policy.declare import Named, Option, Tables, tables_of
from eximacl.policy.plan import Exempt


class Value(NamedTuple):
    """The value of an option, and its TOML."""

    value: Any
    raw: Any


Values = dict[str, Value]


def read_table(table: OptionTable, raw: Any, site: Site, sources: Sources) -> Values:
    """Read a whole table, with defaults for what is not given. Problems are collected, their keys left out."""
    values = read_given(table, raw, site, sources)
    given = raw if isinstance(raw, dict) else {}
    for option in table.options:
        if option.name not in given:
            value = _read_default(option, site.at(option.name), sources)
            if value is not None:
                values[option.name] = value
    return values


def read_given(table: OptionTable, raw: Any, site: Site, sources: Sources) -> Values:
    """Read the options that a table gives. Problems are collected, their keys left out."""
    if not isinstance(raw, dict):
        site.report(f"expected a table, got {toml_type(raw)}")
        return {}
    values: Values = {}
    for name, one in raw.items():
        option = table.get(name)
        if option is None:
            site.at(name).report(_unknown_key(table, name, site))
            continue
        try:
            values[name] = Value(read_value(option, one, site.at(name), sources), one)
        except Refused as refused:
            site.at(name).report(*refused.messages)
    return values


def _unknown_key(table: OptionTable, name: str, site: Site) -> str:
    """Return the message for an unknown key; one that belongs into a table of an option says so."""
    for option in table.options:
        kind = tables_of(option)
        if kind is not None and named_table(site.key, kind).get(name) is not None:
            return f"unknown key; it stands in a table with a name: [{site.key}.{option.name}.NAME]"
    return unknown("key", name, (option.name for option in table.options))


def read_value(option: Option, raw: Any, site: Site, sources: Sources) -> Any:
    """Return the value that TOML's `raw` means for `option`. Raises Refused."""
    kind = kind_of(option.type)
    return kind.read(RawValue(raw, option, site, sources, kind.expected))


def _read_default(option: Option, site: Site, sources: Sources) -> Value | None:
    if option.default is None:
        site.report(f"must be set: {option.help}")
        return None
    raw = list(option.default) if isinstance(option.default, tuple) else option.default
    try:
        return Value(read_value(option, raw, site, sources), raw)
    except Missing:  # a list that the policy does not name: a short policy needs no files
        return Value(sources.awaited(site.path(str(raw)), option.type, site.key), [])
    except Refused as refused:
        site.report(*refused.messages)
    return None


def kind_of(annotation: Any) -> Kind:
    """Return the kind of an option's type. Raises TypeError for a type that KINDS does not cover."""
    bases = annotation.__mro__ if isinstance(annotation, type) else ()
    several = CHOICES if get_origin(annotation) is tuple and get_origin(get_args(annotation)[0]) is Literal else None
    for candidate in (annotation, several, get_origin(annotation), *bases):
        if candidate in KINDS:
            return KINDS[candidate]
    known = ", ".join(map(_type_name, KINDS))
    raise TypeError(f"options cannot be of type {_type_name(annotation)}; use one of {known}")


def _type_name(annotation: Any) -> str:
    """Return a type as one writes it. Python's own texts for these differ from version to version."""
    if annotation in _TYPE_NAMES:
        return _TYPE_NAMES[annotation]
    return str(getattr(annotation, "__name__", annotation))


def _exempt(given: RawValue) -> Exempt:
    values = read_given(NARROW_EXEMPT_TABLE, typed(given, dict), given.site, given.sources)
    return Exempt(**{name: value.value for name, value in values.items()})


def _tables(given: RawValue) -> Tables[Named]:
    """Read named tables. Problems are reported with the key of the table in which they are."""
    kind = tables_of(given.option)
    assert kind is not None
    table = named_table(given.site.key, kind)
    raws = given_tables(given.raw, table, given.expected)
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


def given_tables(raw: Any, table: OptionTable, expected: str) -> Mapping[str, Any]:
    """Return what is given for each name, in order. Raises Refused.

    table: what may stand in each; expected: what `raw` must be, for errors.
    """
    if isinstance(raw, list):
        return {name: {} for name in _names(raw, expected)}
    if not isinstance(raw, dict):
        raise Refused(f"expected {expected}")
    unquoted = [_written(name, one, table) for name, one in raw.items()]
    wrong = [f"{name} is read as tables in tables; put the name in quotes: {toml(name)}" for name in unquoted if name]
    if wrong:
        raise Refused(*wrong)
    return raw


def _names(raw: list[Any], expected: str) -> list[str]:
    if not all(isinstance(name, str) for name in raw):
        raise Refused(f"expected {expected}; the array holds something else")
    twice = [f"{toml(name)} is listed {count} times" for name, count in Counter(raw).items() if count > 1]
    if twice:
        raise Refused(*twice)
    return raw


def _written(name: str, raw: Any, table: OptionTable) -> str:
    """Return the name that was meant by `[zones.list.example.net]` without quotes; empty if the name is right."""
    path = [name]
    while isinstance(raw, dict):
        inner = next((key for key, one in raw.items() if _is_no_key(key, one, table)), None)
        if inner is None:
            break
        path.append(inner)
        raw = raw[inner]
    return ".".join(path) if len(path) > 1 and "." not in name else ""


def _is_no_key(key: str, raw: Any, table: OptionTable) -> bool:
    names = [option.name for option in table.options]
    return isinstance(raw, dict) and key not in names and nearest(key, names) is None


_TYPE_NAMES = {Path | None: "Path | None", tuple[str, ...]: "tuple[str, ...]"}

KINDS: Mapping[Any, Kind] = {
    **kinds.KINDS,
    Exempt: Kind("a table", _exempt, says("table")),
    Tables: Kind("tables, or an array of names", _tables, says("tables, or array of names")),
}
