"""Subjects as people read them in logs and lists. Pure.

Rule: never raises, and what comes out is one line of at most MAX_SUBJECT_CHARACTERS that neither moves a cursor nor
turns the direction of what stands around it.
"""

from __future__ import annotations

import codecs
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
_NO_CHARSETS = ("unicode-escape", "raw-unicode-escape", "idna", "punycode")
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


def _text(data: bytes, charset: str | None, plain: str) -> str:
    if charset is None:
        return data.decode(plain, "replace")
    try:
        name = codecs.lookup(charset.partition("*")[0]).name  # RFC 2231 section 5: a language after an asterisk
        return data.decode("ascii" if name in _NO_CHARSETS else name, "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")
