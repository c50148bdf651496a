"""What a table or option is, in words, for `eximacl config explain`. Rule: all of it comes from the declarations."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from eximacl.config.problems import unknown
from eximacl.config.sample import option_default, option_help, option_word
from eximacl.config.settings import EXEMPT_TABLE, NAME, SETTINGS_TABLES, Table, check_table, tables_within
from eximacl.policy.declare import Check, Option

TEXT_COLUMNS = 96


def explain(name: str, checks: Mapping[str, Check]) -> str:
    """Explain a check (`rdns_tld`), a table (`server`) or an option (`rdns_tld.tlds`, `server.socket`).

    The tables of an option are one table to explain (`dnsbl.zones`), which has options (`dnsbl.zones.codes`).
    `checks.` before a check's name may be left out. Raises LookupError, with the nearest known name in its text.
    """
    table, option = find(name, checks)
    if option is not None:
        return "\n".join(_option_lines(f"{table.key}.{option.name}", option))
    lines = [f"[{table.key}]", *_wrapped(table.doc, "  ")]
    check = checks.get(table.key.removeprefix("checks."))
    if check is not None and table.key.startswith("checks."):
        stages = [stage for stage in ("connect", "helo", "mail", "rcpt", "data") if stage in check.stages]
        lines += ["", f"  Looks at: {', '.join(stages)}."]
    for one in table.options:
        lines += ["", *(f"  {line}" for line in _option_lines(one.name, one))]
    return "\n".join(lines)


def describe(name: str, checks: Mapping[str, Check]) -> dict[str, Any]:
    """Return the same as `explain`, as values that JSON can hold. Raises LookupError."""
    table, option = find(name, checks)
    if option is not None:
        return _described(table, option)
    return {"key": table.key, "help": table.doc, "options": [_described(table, one) for one in table.options]}


def find(name: str, checks: Mapping[str, Check]) -> tuple[Table, Option | None]:
    """Return the table that `name` names, and the option if it names one. Raises LookupError."""
    tables = all_tables(checks)
    wanted = name.removeprefix("checks.")
    if wanted in tables:
        return tables[wanted], None
    table_name, _, option_name = wanted.rpartition(".")
    if table_name not in tables:
        table_name, _, option_name = wanted.partition(".")
    table = tables.get(table_name)
    if table is None:
        raise LookupError(f"{name}: {unknown('name', wanted, tables)}")
    option = table.get(option_name)
    if option is None:
        raise LookupError(f"{name}: {unknown('option', option_name, (one.name for one in table.options))}")
    return table, option


def all_tables(checks: Mapping[str, Check]) -> dict[str, Table]:
    """Return every table by the name it is asked for: settings, exemptions, then the checks with theirs."""
    found = {**SETTINGS_TABLES, EXEMPT_TABLE.key: EXEMPT_TABLE}
    for name, check in checks.items():
        if name not in found:
            found[name] = check_table(check)
            within = tables_within(f"checks.{name}", check.options)
            found.update({_without_names(table.key): table for table in within})
    return found


def _without_names(key: str) -> str:
    return ".".join(part for part in key.removeprefix("checks.").split(".") if part != NAME)


def _described(table: Table, option: Option) -> dict[str, Any]:
    return {
        "key": f"{table.key}.{option.name}",
        "type": option_word(option),
        "default": list(option.default) if isinstance(option.default, tuple) else option.default,
        "help": option_help(option),
    }


def _option_lines(name: str, option: Option) -> list[str]:
    default = option_default(option)
    shown = f"default {default}" if default else "must be set"
    heading = textwrap.wrap(f"{name} ({option_word(option)}; {shown})", TEXT_COLUMNS, subsequent_indent="  ")
    return [*heading, *_wrapped(option_help(option), "  ")]


def _wrapped(text: str, indent: str) -> list[str]:
    paragraphs = text.split("\n\n")
    wrapped = [textwrap.wrap(one, TEXT_COLUMNS, initial_indent=indent, subsequent_indent=indent) for one in paragraphs]
    return [line for number, lines in enumerate(wrapped) for line in (*([""] if number else []), *lines)]
