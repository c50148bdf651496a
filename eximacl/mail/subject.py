"""Subjects as people read them in logs and lists. Pure.

Nothing here raises. The result is one line of at most MAX_SUBJECT_CHARACTERS that neither moves the cursor nor changes
the direction of the text around it.
"""

from __future__ import annotations

import encodings
import pkgutil
import unicodedata
from collections.abc import Container
from email.errors import HeaderParseError
from email.header import decode_header

# Longer than any list shows; the whole subject is in the message.
MAX_SUBJECT_CHARACTERS = 200
# RFC 2047 triples the length of a text, and more; anything beyond this would be cut anyway.
MAX_RAW_CHARACTERS = 4000
ELLIPSIS = "…"
REDACTED = "(redacted)"

# They decode text into other text, not the bytes of a message into text; the last two in quadratic time.
_NO_CHARSETS = ("unicode_escape", "raw_unicode_escape", "idna", "punycode")
# Python tries to import a module for any other name, and remembers each such name for ever.
_CHARSETS = (
    {module.name for module in pkgutil.iter_modules(encodings.__path__)} | set(encodings.aliases.aliases)
).difference(_NO_CHARSETS)
# Unicode's general categories: control characters, format characters (all of the bidirectional ones among them),
# line and paragraph separators, and private use.
_DROPPED = ("Cc", "Cf", "Zl", "Zp", "Co")


def logged_subject(raw: str, redact: Container[str] = ()) -> str:
    """Return what logs and lists show for a raw subject; `redact`: `archive.redact`."""
    if "subject" in redact:
        return REDACTED if raw else ""
    return readable(raw)


def readable(raw: str) -> str:
    """Decode RFC 2047 encoded words, make it one line of harmless characters, and cut it."""
    text = decoded(raw[:MAX_RAW_CHARACTERS])
    if len(text) <= MAX_SUBJECT_CHARACTERS:
        return text
    return text[: MAX_SUBJECT_CHARACTERS - len(ELLIPSIS)] + ELLIPSIS


def decoded(raw: str) -> str:
    """Decode RFC 2047 encoded words, and make it one line of harmless characters, of any length."""
    return " ".join(clean(_decode(raw)).split())


def clean(text: str) -> str:
    """Remove invisible characters. White space becomes a blank, a byte that was not UTF-8 becomes U+FFFD."""
    return "".join(map(_clean, text))


def _clean(character: str) -> str:
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    return "" if category in _DROPPED else character


def _decode(raw: str) -> str:
    try:
        parts = decode_header(raw)
    except HeaderParseError:
        return raw
    # Text between encoded words comes back as bytes; if all was ASCII, backslashes in it need no decoding.
    plain = "ascii" if raw.isascii() else "raw-unicode-escape"
    return "".join(part if isinstance(part, str) else _text(part, charset, plain) for part, charset in parts)


def codec_named(charset: str) -> str:
    """Return Python's name for the charset of a message; UTF-8 for an unknown one."""
    name = encodings.normalize_encoding(charset.partition("*")[0]).lower()  # RFC 2231 section 5: then a language
    return name if name in _CHARSETS else "utf-8"


def _text(data: bytes, charset: str | None, plain: str) -> str:
    try:
        return data.decode(plain if charset is None else codec_named(charset), "replace")
    except (LookupError, ValueError):  # not a charset for text, or one of another operating system
        return data.decode("utf-8", "replace")
