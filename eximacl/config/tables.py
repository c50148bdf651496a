"""Tables with names of their own, as they stand in TOML. Rule: a name is the admin's, and is taken as it is written.

zones = ["a.example", "b.example"]        # all defaults

[checks.dnsbl.zones."a.example"]          # the same with keys
weight = 2
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from eximacl.config.problems import Refused, nearest
from eximacl.config.settings import Table
from eximacl.config.toml import toml


def given_tables(raw: Any, table: Table, expected: str) -> Mapping[str, Any]:
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


def _written(name: str, raw: Any, table: Table) -> str:
    """Return the name that somebody meant who wrote `[zones.list.example.net]` without quotes; empty: it is right."""
    path = [name]
    while isinstance(raw, dict):
        inner = next((key for key, one in raw.items() if _is_no_key(key, one, table)), None)
        if inner is None:
            break
        path.append(inner)
        raw = raw[inner]
    return ".".join(path) if len(path) > 1 and "." not in name else ""


def _is_no_key(key: str, raw: Any, table: Table) -> bool:
    names = [option.name for option in table.options]
    return isinstance(raw, dict) and key not in names and nearest(key, names) is None
