"""Testing one list alone, before a job moves it into place: is it right, and would the daemon take it at once?"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from eximacl.config.list_files import fill
from eximacl.config.load import find_checks, load
from eximacl.config.losses import Content, Loss
from eximacl.config.problems import ConfigError, Refused, nearest, unknown
from eximacl.config.settings import EXEMPT_TABLE, NARROW_EXEMPT_TABLE, SETTINGS_TABLES, OptionTable, check_table
from eximacl.config.sources import Sources
from eximacl.mail.entry_list import EntryList
from eximacl.policy.declare import Check, Option


class UnknownList(LookupError):
    """What kind of list a file holds cannot be known; the text says what to write."""


class ListTrial(NamedTuple):
    """What came of a test. kind: the list's, in words. before: the entries of the list it replaces; None: unknown."""

    path: str
    kind: str
    entries: int
    before: int | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def try_list(
    path: Path, instead_of: str, config: Path, *, accept: bool = False, in_force: Mapping[str, int] | None = None
) -> ListTrial:
    """Test a file or directory as a list. Raises UnknownList.

    instead_of: the option that the list is for (`checks.valid_recipient.recipients`), or the path of the list that it
    replaces; empty: `path` itself, which the policy names. accept: it may have lost most of its entries.
    in_force: how many entries a running daemon has of each list, by path.
    """
    kind, old, before = _target(path, instead_of, config, in_force or {})
    entries = kind()
    problems: tuple[str, ...] = ()
    content = Content()
    try:
        content = fill(entries, path, str(path))
    except Refused as refused:
        problems = refused.messages
    missing = old.missing_in(entries) if old is not None and not problems else 0
    loss = Loss(before or Content(0, content.ended), content, missing)
    notes: tuple[str, ...] = ()
    said = f"{path} {loss.before_move if instead_of else loss}"
    if not problems and not accept and loss.is_refused:
        problems = (said,)
    elif not problems and not accept and loss.is_doubtful:
        notes = (said,)
    return ListTrial(str(path), kind.kind, content.size, before.size if before else None, problems, notes)


def _target(
    path: Path, instead_of: str, config: Path, in_force: Mapping[str, int]
) -> tuple[type[EntryList], EntryList | None, Content | None]:
    """Return the kind of a list, the list that it replaces, and how much the daemon has of it, or that list has."""
    sources = Sources(config.absolute().parent)
    with contextlib.suppress(ConfigError):
        loaded = load(config, sources=sources)
        tables = loaded.tables
        table, _, name = instead_of.rpartition(".")
        given = tables[table].get(name) if table in tables else None
        if given is not None and isinstance(given.value, EntryList) and isinstance(given.raw, str):
            instead_of = str(loaded.path.parent / given.raw)
    kind = None if os.sep in instead_of or not instead_of else _kind_of(instead_of, config)
    if kind is not None:
        return kind, None, None
    # Not resolve(): the policy's paths are compared as they are written, too.
    named = Path(os.path.normpath(Path.cwd() / (instead_of or path)))
    for entries, content in sources.counted(named):
        old = entries if instead_of and content is not None else None
        if str(named) in in_force:
            return type(entries), old, Content(in_force[str(named)], content.ended if content else True)
        return type(entries), old, content if instead_of else None
    if instead_of:
        near = "" if os.sep in instead_of else _option_meant(instead_of, config)
        meant = f"; did you mean {near}?" if near else ""
        raise UnknownList(f"{instead_of} is neither an option nor a list that {config} names{meant}")
    raise UnknownList(
        f"{config} does not name {path}: say for which option it is, such as --as checks.valid_recipient.recipients, "
        "or which list it replaces"
    )


def _kind_of(key: str, config: Path) -> type[EntryList] | None:
    """Return the kind of list that an option takes; None where `key` is not an option's. Raises UnknownList."""
    table, _, name = key.rpartition(".")
    tables = dict(_tables(find_checks(config)))
    if key in tables:
        raise UnknownList(f"{key} is a table; did you mean {_option_meant(key, config)}?")
    if table not in tables:
        return None
    option = tables[table].get(name)
    if option is None:
        raise UnknownList(f"{key}: {unknown('option', name, (one.name for one in tables[table].options))}")
    kind = _list_kind(option)
    if kind is None:
        raise UnknownList(f"{key} is not a list of entries")
    return kind


def _list_kind(option: Option) -> type[EntryList] | None:
    kind = option.type
    return kind if isinstance(kind, type) and issubclass(kind, EntryList) else None


def _option_meant(given: str, config: Path) -> str:
    """Return the options that a name with something missing or misspelt most likely means, or nothing."""
    keys: dict[str, list[str]] = {}
    for key, table in _tables(find_checks(config)):
        keys[key] = [f"{key}.{option.name}" for option in table.options if _list_kind(option)]
    for name in (given, f"checks.{given}"):
        if keys.get(name):
            return " or ".join(keys[name])
    every = [one for lists in keys.values() for one in lists]
    return next(filter(None, (nearest(name, every) for name in (given, f"checks.{given}"))), "")


def _tables(checks: Mapping[str, Check]) -> Iterator[tuple[str, OptionTable]]:
    yield from SETTINGS_TABLES.items()
    yield EXEMPT_TABLE.key, EXEMPT_TABLE
    for check in checks.values():
        table = check_table(check)
        yield table.key, table
        yield f"{table.key}.exempt", NARROW_EXEMPT_TABLE
