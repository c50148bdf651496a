"""Text that others wrote, made fit for a terminal or a line of a log."""

from __future__ import annotations

import json
import re
from typing import Any

# Bytes that are not UTF-8 are lone surrogates in our texts (PEP 383). JSON can write those, and Perl's and others'
# parsers refuse them (RFC 8259 section 8.2).
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_A_CHARACTER = "\ufffd"
# Beside a text that lost such bytes, under this key: the same text with its bytes.
RAW = "raw"
_BROKEN = re.compile(r"[\ud800-\udfff]|\\")
_RAW = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(\\))")


def printable(text: str) -> str:
    """Return `text` on one line that is safe on a terminal: control characters and broken bytes as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def printable_text(text: str) -> str:
    """Return a text whose lines are `printable`, without its last newline."""
    return "\n".join(printable(line) for line in text.splitlines())


def one_line(text: str) -> str:
    """Return the words of `text` on one line, with a blank between them."""
    return " ".join(text.split())


def valid_text(text: str) -> str:
    """Return `text` with U+FFFD for each byte that is not UTF-8, so that every JSON parser takes it."""
    return _SURROGATE.sub(_NOT_A_CHARACTER, text)


def raw_text(text: str) -> str:
    """Return `text` with each byte that is not UTF-8 as `\\xe9`, and each backslash doubled. `from_raw` undoes it."""

    def escaped(match: re.Match[str]) -> str:
        code = ord(match[0])
        return (
            "\\\\" if match[0] == "\\" else f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code < 0xDD00 else f"\\u{code:04x}"
        )

    return _BROKEN.sub(escaped, text)


def from_raw(text: str) -> str:
    """Undo `raw_text`."""

    def plain(match: re.Match[str]) -> str:
        byte, code, backslash = match.groups()
        return backslash or chr(int(byte, 16) + 0xDC00 if byte else int(code, 16))

    return _RAW.sub(plain, text)


def as_json(value: Any) -> str:
    """Return a JSON value on one line of printable ASCII that every parser takes.

    A text with bytes that are not UTF-8 is `valid_text`; an object that has such texts, or lists of them, gets them as
    `raw_text` under RAW.
    """
    line = json.dumps(value)
    if "\\ud" in line:  # lone surrogates, or pairs, which are all right
        line = json.dumps(valid_json(value))
    return line.replace("\x7f", "\\u007f")


def valid_json(value: Any) -> Any:
    """Return a JSON value whose texts are valid; see `as_json`. `with_bytes` undoes it."""
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, list | tuple):
        return [valid_json(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {valid_text(key): valid_json(one) for key, one in value.items()}
    broken = {key: _raw(one) for key, one in value.items() if _is_broken(one)}
    return {**found, RAW: broken} if broken and RAW not in value else found


def with_bytes(value: Any) -> Any:
    """Return a JSON value whose texts have their bytes again, from what stands under RAW beside them."""
    if isinstance(value, list):
        return [with_bytes(one) for one in value]
    if not isinstance(value, dict):
        return value
    raw = value.get(RAW)
    if not isinstance(raw, dict):
        return {key: with_bytes(one) for key, one in value.items()}
    return {key: _from_raw(raw[key]) if key in raw else with_bytes(one) for key, one in value.items() if key != RAW}


def _is_broken(value: Any) -> bool:
    texts = value if isinstance(value, list | tuple) else [value]
    return all(isinstance(one, str) for one in texts) and any(map(_SURROGATE.search, texts))


def _raw(value: Any) -> Any:
    return raw_text(value) if isinstance(value, str) else [raw_text(one) for one in value]


def _from_raw(value: Any) -> Any:
    if isinstance(value, list):
        return [from_raw(one) if isinstance(one, str) else one for one in value]
    return from_raw(value) if isinstance(value, str) else value
