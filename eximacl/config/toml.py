"""TOML values on one line, as the sample, `config show` and errors print them, and the names of TOML's types.

What is written reads back as the same value. tomlkit, which edits the policy file, would write an inner table on
several lines and keep lone surrogates, and takes 8 to 20 ms to load.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def toml(value: Any) -> str:
    """Return a value as one line of TOML: strings, numbers, booleans, arrays, inline tables.

    Lone surrogates, which TOML cannot hold, become U+FFFD. Raises TypeError for anything else.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        text = value.encode("utf-8", "replace").decode() if _has_surrogates(value) else value
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{toml_key(key)} = {toml(one)}" for key, one in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    raise TypeError(f"TOML has no {type(value).__name__}")


def toml_key(key: str) -> str:
    """Return a key, quoted where it must be."""
    return key if _BARE_KEY.fullmatch(key) else toml(key)


def toml_type(raw: Any) -> str:
    """Return TOML's word for the type of `raw`, with its article."""
    for kind, word in _TOML_TYPES.items():
        if isinstance(raw, kind):
            return word
    return "a date or time"


_TOML_TYPES: Mapping[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "a table",
}


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)
