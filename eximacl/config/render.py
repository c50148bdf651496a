"""The configuration as text and plain values: the sample, what is in force, and what each option means.

All of it comes from the declarations. The sample loads as it is, and sets only what is the default anyway. What is in
force is shown without secrets.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from eximacl.config.load import Loaded
from eximacl.config.problems import unknown
from eximacl.config.settings import (
    COMMON_TABLE,
    DEFAULT_ORDER,
    EXEMPT_TABLE,
    NAME,
    NARROW_POLICY_TABLE,
    SETTINGS,
    SETTINGS_TABLES,
    OptionTable,
    check_table,
    tables_within,
)
from eximacl.config.toml import toml, toml_key
from eximacl.config.values import Value, Values, kind_of
from eximacl.mail.entry_list import EntryList
from eximacl.policy.declare import Check, Named, Option, Tables, options_of

SAMPLE_NAME = "eximacl.toml"
# An option without a default still needs a value in the sample.
SAMPLE_VALUES: Mapping[str, Any] = {"policy.domains": ["example.org"]}
COMMENT_COLUMNS = 100
# What `eximacl config explain` prints.
TEXT_COLUMNS = 96
# Before the lines of a table that needs a name; an editor can uncomment them all at once.
NAMED_INDENT = "#    "
# In quotes, since most names have dots.
NAME_HERE = "name.example"

_HEAD = """\
# The policy of eximacl. Test it with `eximacl config test`; put it in force with `eximacl reload`.
#
# A line that starts with # and a name shows a default: remove the # to change it.
# A list is an array, or a path: of a file (one entry per line, # comments), or of a directory whose
# file names are the entries. Paths start from this file's directory. Files and directories are read
# again when they change, without a reload.
# domains/<domain>.toml beside this file sets options of checks for one recipient domain.
"""
_COMMON_HEAD = "Every check has these options, too; they are listed only here."


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

    Raises FileExistsError if there is a policy file already, OSError if something cannot be written.
    Existing lists are left unchanged.
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
    """Return an option's help, and for a list what an entry is."""
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
    """Return an option's default as TOML; empty if it must be set."""
    return "" if option.default is None else toml(option.default)


def _table_lines(table: OptionTable, defaults: Mapping[str, Any]) -> Iterator[str]:
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


def _named_lines(table: OptionTable) -> Iterator[str]:
    """Yield the tables that a table's options hold, as comments. They come last: what follows would belong to them."""
    for inner in tables_within(table.key, table.options):
        yield "#"
        yield from _comment(f"[{inner.key}]: {inner.doc}")
        if inner.key.count(NAME) > 1:  # its option is set above, and TOML does not allow both
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
    """Return the list that comes with eximacl under this name, else a comment that says what to put in."""
    shipped = resources.files("eximacl").joinpath("sample", *Path(option.default).parts)
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    return "\n".join((*_comment(option_help(option)), *_comment("One entry per line."))) + "\n"


def show(loaded: Loaded, domain: str | None = None) -> dict[str, Any]:
    """Return what is in force, as values that JSON can hold: for all domains, or for recipients at one.

    A list from a file shows as `{"path": …, "entries": N}`. `domain` is canonical; raises LookupError when
    `policy.domains` does not list it.
    """
    if domain is not None and domain not in loaded.settings.policy.domains:
        raise LookupError(f"policy.domains does not list {domain}")
    overlay = loaded.overlays.get(domain, {}) if domain is not None else {}
    shown: dict[str, Any] = {}
    if domain is None:
        shown = {key: _shown(loaded.tables[key]) for key in SETTINGS}
        shown["domain_files"] = sorted(loaded.overlays)
    else:
        narrow = {option.name for option in NARROW_POLICY_TABLE.options}
        policy = {**loaded.tables["policy"], **overlay.get("policy", {})}
        shown["policy"] = _shown({name: value for name, value in policy.items() if name in narrow})
    shown["exempt"] = _shown(loaded.tables[EXEMPT_TABLE.key])
    if overlay.get("exempt"):
        shown["exempt_here"] = _shown(overlay["exempt"])
    shown["checks"] = {}
    for name in loaded.settings.policy.order:
        base = loaded.tables[f"checks.{name}"]
        shown["checks"][name] = _merged(base, overlay.get(f"checks.{name}", {}))
    return shown


def show_toml(shown: Mapping[str, Any]) -> str:
    """Return the result of `show` in the form of a policy file."""
    return "\n".join(_sections(shown, ()))


def _merged(base: Values, overlay: Values) -> dict[str, Any]:
    """Lay a domain's values over the base; its exemptions are added, so both show."""
    merged = _shown({**base, **overlay})
    if "exempt" in overlay:
        merged["exempt"] = _shown_value(base["exempt"])
        merged["exempt_here"] = _shown_value(overlay["exempt"])
    return merged


def _shown(values: Values) -> dict[str, Any]:
    return {name: _shown_value(value) for name, value in values.items()}


def _shown_value(value: Value) -> Any:
    if isinstance(value.value, Tables):
        return {one.name: _shown_named(one, value.raw) for one in value.value}
    if isinstance(value.value, EntryList) and isinstance(value.raw, str) and value.raw:
        return {"path": value.raw, "entries": len(value.value)}
    return value.raw


def _shown_named(named: Named, raw: Any) -> dict[str, Any]:
    """Return all keys of one of an option's tables. raw: all of these tables in TOML."""
    given = raw.get(named.name, {}) if isinstance(raw, Mapping) else {}
    return {
        option.name: _shown_value(Value(getattr(named, option.name), given.get(option.name, option.default)))
        for option in options_of(named.name, type(named))
    }


def _sections(shown: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of each table: its own keys first, then the tables below it."""
    plain = {key: value for key, value in shown.items() if not _is_table(path, value)}
    if plain and path:
        yield f"[{'.'.join(map(toml_key, path))}]"
    for key, value in plain.items():
        yield f"{toml_key(key)} = {toml(value)}"
    if plain:
        yield ""
    for key, value in shown.items():
        if key not in plain:
            yield from _sections(value, (*path, key))


def _is_table(path: tuple[str, ...], value: Any) -> bool:
    """Return whether the value of a key below `path` gets a header: tables, checks, and a check's named tables."""
    if not isinstance(value, Mapping) or path[:1] not in ((), ("checks",)):
        return False
    holds_tables = bool(value) and all(isinstance(one, Mapping) for one in value.values())
    return len(path) in (0, 1, 3) or (len(path) == 2 and holds_tables)


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


def find(name: str, checks: Mapping[str, Check]) -> tuple[OptionTable, Option | None]:
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


def all_tables(checks: Mapping[str, Check]) -> dict[str, OptionTable]:
    """Return every table by the name that a user gives: settings, exemptions, then the checks with their tables."""
    found = {**SETTINGS_TABLES, EXEMPT_TABLE.key: EXEMPT_TABLE}
    for name, check in checks.items():
        if name not in found:
            found[name] = check_table(check)
            within = tables_within(f"checks.{name}", check.options)
            found.update({_without_names(table.key): table for table in within})
    return found


def _without_names(key: str) -> str:
    return ".".join(part for part in key.removeprefix("checks.").split(".") if part != NAME)


def _described(table: OptionTable, option: Option) -> dict[str, Any]:
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
