"""The configuration in force, defaults and all, for `eximacl config show`. Rule: plain values, and never a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eximacl.config.load import Loaded
from eximacl.config.settings import EXEMPT_TABLE, SETTINGS
from eximacl.config.toml import toml, toml_key
from eximacl.config.values import Value, Values
from eximacl.mail.lists import EntryList
from eximacl.policy.declare import Named, Tables, options_of


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
    shown["exempt"] = _shown(loaded.tables[EXEMPT_TABLE.key])
    if overlay.get("exempt"):
        shown["exempt_here"] = _shown(overlay["exempt"])
    shown["checks"] = {}
    for name in loaded.settings.policy.order:
        base = loaded.tables[f"checks.{name}"]
        shown["checks"][name] = _merged(base, overlay.get(f"checks.{name}", {}))
    return shown


def show_toml(shown: Mapping[str, Any]) -> str:
    """Return what `show` returned as text in the form of a policy file."""
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
    """Return all keys of one of an option's tables. raw: what stands for all of them in TOML."""
    given = raw.get(named.name, {}) if isinstance(raw, Mapping) else {}
    return {
        option.name: _shown_value(Value(getattr(named, option.name), given.get(option.name, option.default)))
        for option in options_of(named.name, type(named))
    }


def _sections(shown: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of each table: the keys of its own first, then the tables below it."""
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
    """Whether the value of a key below `path` gets a header: tables, checks, and each of a check's named tables."""
    if not isinstance(value, Mapping) or path[:1] not in ((), ("checks",)):
        return False
    holds_tables = bool(value) and all(isinstance(one, Mapping) for one in value.values())
    return len(path) in (0, 1, 3) or (len(path) == 2 and holds_tables)
