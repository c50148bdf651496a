"""Subjects: decoded, harmless and short, whatever was sent."""

from __future__ import annotations

import encodings
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.mail.subject import MAX_RAW_CHARACTERS, MAX_SUBJECT_CHARACTERS, REDACTED, logged_subject, readable

SUBJECTS = [
    ("plain", "Dinner on Friday?", "Dinner on Friday?"),
    ("none", "", ""),
    ("q", "=?utf-8?q?caf=C3=A9_au_lait?=", "café au lait"),
    ("b", "=?UTF-8?B?0J/RgNC40LLQtdGC?=", "Привет"),
    ("latin", "=?iso-8859-1?q?f=FCr?= dich", "für dich"),
    ("two words", "=?utf-8?q?a?=\n =?utf-8?q?b?=", "ab"),
    ("a character in two words", "=?utf-8?b?w6Q=?= =?utf-8?b?w6Q=?=", "ää"),
    ("a byte in each of two words", "=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "ä"),
    ("a language", "=?utf-8*en?q?hello?=", "hello"),
    (
        "charsets of other names",
        "=?ISO_8859-15?q?=A4?= =?windows-1252?q?=80?= =?KOI8-U?q?=A4?= =?utf8?q?=C3=A4?=",
        "€€єä",
    ),
    ("a charset of another system", "=?mbcs?q?hello?=", "hello"),
    ("no such charset", "=?x-nowhere?q?hell=C3=B6?=", "hellö"),
    ("no text in bytes", "=?rot13?q?hello?= =?hex?q?6162?= =?zlib?q?x?=", "hello6162x"),
    ("escapes for a charset", r"=?unicode_escape?q?=5Cu0007=5Cq?= =?punycode?q?abc-?=", r"\u0007\qabc-"),
    ("a charset that cannot be", "=?undefined?q?hello?=", "hello"),
    ("a charset with a NUL", "=?utf\0-8?q?hello?=", "hello"),
    ("bad base64", "=?utf-8?b?a?=", "=?utf-8?b?a?="),
    ("wrong bytes", "=?utf-8?q?=FF?= x", "\N{REPLACEMENT CHARACTER} x"),
    ("a backslash", r"C:\users\x =?utf-8?q?=C3=A4?=", r"C:\users\x ä"),
    ("8-bit and a word", "ä =?utf-8?q?=C3=B6?=", "ä ö"),
    ("no UTF-8", "f\udcfcr", "f\N{REPLACEMENT CHARACTER}r"),
    ("folded", "one\r\n\ttwo", "one two"),
    ("a line in a word", '=?utf-8?q?x=0A{"forged":_1}?=', 'x {"forged": 1}'),
    ("a cursor", "=?utf-8?q?=1B[2Jx=7F=9B?=\x9b", "[2Jx\N{REPLACEMENT CHARACTER}"),
    ("directions", "a\u202egpj.exe\u2066b\u200f", "agpj.exeb"),
    ("separators", "a\u2028b\u2029c\u00a0d", "a b c d"),
    ("an invisible joiner", "a\u200db\ufeff\u00ad", "ab"),
    ("private use", "a\ue000b", "ab"),
]


@pytest.mark.parametrize(("raw", "text"), [row[1:] for row in SUBJECTS], ids=[row[0] for row in SUBJECTS])
def test_readable(raw: str, text: str) -> None:
    assert readable(raw) == text


@pytest.mark.parametrize(
    "raw", ["x" * 201, "x" * 100_000, "=?utf-8?q?" + "x" * 300 + "?=", "=?utf-8?b?" + "eHh4" * 100_000 + "?="]
)
def test_long_subjects_are_cut(raw: str) -> None:
    text = readable(raw)
    assert len(text) == MAX_SUBJECT_CHARACTERS
    assert text.endswith("…")


def test_one_that_just_fits_is_not_cut() -> None:
    assert readable("x" * MAX_SUBJECT_CHARACTERS) == "x" * MAX_SUBJECT_CHARACTERS


@pytest.mark.parametrize(
    ("raw", "redact", "text"),
    [("hello", (), "hello"), ("hello", ("subject",), REDACTED), ("", ("subject",), ""), ("hello", ("other",), "hello")],
)
def test_redaction(raw: str, redact: tuple[str, ...], text: str) -> None:
    assert logged_subject(raw, redact) == text


def test_names_of_charsets_are_not_collected() -> None:
    readable("=?nowhere-0?q?x?=")
    before = len(encodings._cache)
    for number in range(100):
        assert readable(f"=?nowhere-{number}?q?x?= =?utf{'-' * number}8?q?x?=") == "xx"
    assert len(encodings._cache) - before < 3


CHARSETS = st.sampled_from(
    ["utf-8", "utf-7", "utf-16", "iso-2022-jp", "hz", "gb18030", "idna", "hex", "", "a b", "mbcs"]
)
WORDS = st.builds("=?{}?{}?{}?=".format, CHARSETS | st.text(max_size=5), st.sampled_from("qQbBx"), st.text(max_size=20))


@given(st.lists(WORDS | st.text(max_size=20), max_size=6))
def test_never_raises_and_is_harmless(parts: list[str]) -> None:
    text = readable(" ".join(parts)[: MAX_RAW_CHARACTERS + 10])
    assert len(text) <= MAX_SUBJECT_CHARACTERS
    assert {unicodedata.category(character) for character in text}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    assert text.isprintable() or any(unicodedata.category(character) == "Cn" for character in text)
