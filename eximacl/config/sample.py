"""The sample configuration, made from the declarations. Rule: it loads as it is, and sets what is the default anyway.

A line that starts with `#` and a letter is a setting at its default: take the `#` away to change it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from eximacl.config.settings import (
    COMMON_TABLE,
    DEFAULT_ORDER,
    EXEMPT_TABLE,
    NAME,
    SETTINGS_TABLES,
    Table,
    check_table,
    tables_within,
)
from eximacl.config.toml import toml
from eximacl.config.values import kind_of
from eximacl.mail.lists import EntryList
from eximacl.policy.declare import Check, Option

SAMPLE_NAME = "eximacl.toml"
# What has no default gets a value in the sample all the same.
SAMPLE_VALUES: Mapping[str, Any] = {"policy.domains": ["example.org"]}
COMMENT_COLUMNS = 100
# Before the lines of a table that is there for a name to be put in; they can be taken in all together.
NAMED_INDENT = "#    "
# In quotes, since most names have dots.
NAME_HERE = "name.example"

_HEAD = """\
# The policy of eximacl. Test it with `eximacl config test`; put it in force with `eximacl reload`.
#
# A line that starts with # and a name shows a default: take the # away to change it.
# A list is an array, or a path: of a file (one entry a line, # comments), or of a directory whose
# file names are the entries. Paths start from this file's directory. Files and directories are read
# again when they change, without a reload.
# domains/<domain>.toml beside this file sets options of checks for one recipient domain.
"""
_COMMON_HEAD = "Every check has these options, too; they stand here once and not below."


def sample(checks: Iterable[Check]) -> str:
    """Return a policy file with every table and option of these checks, its help, type and default."""
    ordered = in_order(checks)
    parts = [_HEAD]
    for table in SETTINGS_TABLES.values():
        parts.append("\n".join(_table_lines(table, {"policy.order": [check.name for check in ordered]})))
    parts.append("\n".join(_table_lines(EXEMPT_TABLE, {})))
    parts.append("\n".join(_common_lines()))
    for check in ordered:
        table = check_table(check)
        own = table._replace(options=check.options)
        parts.append("\n".join((*_table_lines(own, {}), *_own_defaults(check), *_named_lines(own))))
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def in_order(checks: Iterable[Check]) -> list[Check]:
    """Return the checks of the default order, in that order."""
    named = {check.name: check for check in checks}
    return [named[name] for name in DEFAULT_ORDER if name in named]


def write_sample(directory: Path, checks: Iterable[Check]) -> list[Path]:
    """Write the sample and the lists it names into `directory`; return what was written.

    Raises FileExistsError when there is a policy file already, OSError when something cannot be written.
    Lists that exist are left as they are.
    """
    checks = list(checks)
    directory.mkdir(parents=True, exist_ok=True)
    written = [directory / SAMPLE_NAME]
    with written[0].open("x", encoding="utf-8") as file:
        file.write(sample(checks))
    for option in _options_with_files(in_order(checks)):
        path = directory / option.default
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_list_text(option), encoding="utf-8")
            written.append(path)
    return written


def option_help(option: Option) -> str:
    """Return an option's help with what an entry of its list is."""
    kind = option.type
    if isinstance(kind, type) and issubclass(kind, EntryList):
        return f"{option.help} Each entry is {kind.entry_help}."
    return option.help


def option_word(option: Option) -> str:
    """Return the word for an option's type, with the bounds of a number."""
    word = kind_of(option.type).word(option.type)
    bounds = (("at least", option.minimum), ("at most", option.maximum))
    return ", ".join([word, *(f"{name} {bound}" for name, bound in bounds if bound is not None)])


def option_default(option: Option) -> str:
    """Return an option's default as TOML; empty where it must be set."""
    return "" if option.default is None else toml(option.default)


def _table_lines(table: Table, defaults: Mapping[str, Any]) -> Iterator[str]:
    yield from _comment(table.doc)
    yield f"[{table.key}]"
    for option in table.options:
        key = f"{table.key}.{option.name}"
        yield from _comment(_about(option))
        if key in SAMPLE_VALUES:
            yield f"{option.name} = {toml(SAMPLE_VALUES[key])}"
        else:
            yield f"#{option.name} = {toml(defaults.get(key, option.default))}"


def _common_lines() -> Iterator[str]:
    yield from _comment(_COMMON_HEAD)
    for option in COMMON_TABLE.options:
        yield from _comment(_about(option), indent="  ")


def _own_defaults(check: Check) -> Iterator[str]:
    yield f'#action = "{check.action}"'
    yield f'#on_unknown = "{check.on_unknown}"'


def _named_lines(table: Table) -> Iterator[str]:
    """Yield the tables that a table's options hold as comments. They come last: what follows would be theirs."""
    for inner in tables_within(table.key, table.options):
        yield "#"
        yield from _comment(f"[{inner.key}]: {inner.doc}")
        if inner.key.count(NAME) > 1:  # where its option is set above, TOML takes no table of it
            for option in inner.options:
                yield from _comment(_about(option), indent="  ")
            continue
        yield f"{NAMED_INDENT}[{table.key}.{inner.key.split('.')[2]}.{toml(NAME_HERE)}]"
        for option in inner.options:
            help_lines = _comment(_about(option), columns=COMMENT_COLUMNS - len(NAMED_INDENT))
            yield from (f"{NAMED_INDENT}{line}" for line in help_lines)
            yield f"{NAMED_INDENT}{option.name} = {option_default(option) or toml('')}"


def _about(option: Option) -> str:
    return f"{option.name} ({option_word(option)}): {option_help(option)}"


def _comment(text: str, indent: str = "", columns: int = COMMENT_COLUMNS) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        for line in textwrap.wrap(paragraph, columns - 2, subsequent_indent=indent, break_long_words=False):
            yield f"# {line}"


def _options_with_files(checks: Iterable[Check]) -> list[Option]:
    return [option for check in checks for option in check.options if _names_file(option)]


def _names_file(option: Option) -> bool:
    kind = option.type
    return (
        isinstance(kind, type)
        and issubclass(kind, EntryList)
        and isinstance(option.default, str)
        and bool(option.default)
    )


def _list_text(option: Option) -> str:
    """Return the list that comes with eximacl under this name, else a comment that says what goes in."""
    shipped = resources.files("eximacl").joinpath("sample", *Path(option.default).parts)
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    return "\n".join((*_comment(option_help(option)), *_comment("One entry a line."))) + "\n"
