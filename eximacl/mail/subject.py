"""Subjects as people read them in logs and lists. Pure.

Rule: never raises, and what comes out is one line of at most MAX_SUBJECT_CHARACTERS that neither moves a cursor nor
turns the direction of what stands around it.
"""

from __future__ import annotations

import encodings
import pkgutil
import unicodedata
from collections.abc import Container
from email.errors import HeaderParseError
from email.header import decode_header

# Longer than what any list shows; the whole subject is in the message.
MAX_SUBJECT_CHARACTERS = 200
# RFC 2047 triples the length of a text, and more; what is beyond this would be cut in any case.
MAX_RAW_CHARACTERS = 4000
ELLIPSIS = "…"
REDACTED = "(redacted)"

# They decode text into other text, not bytes of a mail into text; the last two in quadratic time.
_NO_CHARSETS = ("unicode_escape", "raw_unicode_escape", "idna", "punycode")
# Looking up any other name imports a module that is not there, and Python remembers each such name for ever.
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
    """Decode RFC 2047 encoded words, and make it one line of harmless characters, however long."""
    return " ".join(clean(_decode(raw)).split())


def clean(text: str) -> str:
    """Take out what is no visible character. White space becomes a blank, a byte that was no UTF-8 becomes U+FFFD."""
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
    # Text between encoded words comes back as bytes; where all was ASCII these need no decoding of backslashes.
    plain = "ascii" if raw.isascii() else "raw-unicode-escape"
    return "".join(part if isinstance(part, str) else _text(part, charset, plain) for part, charset in parts)


def codec_named(charset: str) -> str:
    """Return Python's name for a mail's charset, by which it can be looked up; UTF-8 for one that nobody knows."""
    name = encodings.normalize_encoding(charset.partition("*")[0]).lower()  # RFC 2231 section 5: then a language
    return name if name in _CHARSETS else "utf-8"


def _text(data: bytes, charset: str | None, plain: str) -> str:
    try:
        return data.decode(plain if charset is None else codec_named(charset), "replace")
    except (LookupError, ValueError):  # no charset of texts, or one of another operating system
        return data.decode("utf-8", "replace")
