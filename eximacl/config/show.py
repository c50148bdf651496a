"""The configuration in force, defaults and all, for `eximacl config show`. Rule: plain values, and never a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eximacl.config.declare import EXEMPT_TABLE, SETTINGS
from eximacl.config.loading import Loaded
from eximacl.config.toml import toml, toml_key
from eximacl.config.values import Value, Values
from eximacl.lists import EntryList


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
    return "\n".join(_sections(shown, ""))


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
    if isinstance(value.value, EntryList) and isinstance(value.raw, str) and value.raw:
        return {"path": value.raw, "entries": len(value.value)}
    return value.raw


def _sections(shown: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield the lines of each table: the keys of its own first, then the tables below it."""
    plain = {key: value for key, value in shown.items() if not _is_table(prefix, value)}
    if plain and prefix:
        yield f"[{prefix}]"
    for key, value in plain.items():
        yield f"{toml_key(key)} = {toml(value)}"
    if plain:
        yield ""
    for key, value in shown.items():
        if key not in plain:
            yield from _sections(value, f"{prefix}.{toml_key(key)}" if prefix else toml_key(key))


def _is_table(prefix: str, value: Any) -> bool:
    return isinstance(value, Mapping) and (not prefix or prefix == "checks")
