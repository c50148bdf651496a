"""What others wrote does nothing to a terminal, and stays on its line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.system.text import as_json, from_raw, one_line, printable, printable_text, raw_text, with_bytes

PRINTABLE = [
    ("steve@example.org", "steve@example.org"),
    ("plain é", "plain é"),
    ("\x1b[2J\n\x9b", "\\x1b[2J\\n\\x9b"),
    ("a\tb\x00", r"a\tb\x00"),
    ("\udcff\u202e", "\\udcff\\u202e"),
]


@pytest.mark.parametrize(("text", "shown"), PRINTABLE)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_the_lines_of_a_text_stay_lines() -> None:
    assert printable_text("one\x1b\ntwo\r\n\tthree\n") == "one\\x1b\ntwo\n\\tthree"


@pytest.mark.parametrize(("text", "line"), [("", ""), (" a \r\n\n b\tc ", "a b c"), ("\u2028a", "a")])
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


JSON = [
    pytest.param("a\udce9\\", {"x": "a\ufffd\\", "raw": {"x": "a\\xe9\\\\"}}, id="a byte"),
    pytest.param("\ud83d", {"x": "\ufffd", "raw": {"x": "\\ud83d"}}, id="half a pair"),
    pytest.param("😀ä\x7f", {"x": "😀ä\x7f"}, id="valid"),
    pytest.param(["x", {"y": "\udc80"}], {"x": ["x", {"y": "\ufffd", "raw": {"y": "\\x80"}}]}, id="within"),
    pytest.param(("a", 1, None), {"x": ["a", 1, None]}, id="others"),
    pytest.param(["a", "\udce9"], {"x": ["a", "\ufffd"], "raw": {"x": ["a", "\\xe9"]}}, id="a list"),
]


@pytest.mark.parametrize(("value", "expected"), JSON)
def test_json_that_every_parser_takes(value: object, expected: dict[str, object]) -> None:
    line = as_json({"x": value})
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == expected
    assert with_bytes(json.loads(line)) == json.loads(json.dumps({"x": value}))


@given(st.text(st.characters(exclude_categories=())))
def test_raw_text_loses_nothing(text: str) -> None:
    assert from_raw(raw_text(text)) == text
    raw_text(text).encode("utf-8")
