"""What others wrote does nothing to a terminal, and stays on its line."""

from __future__ import annotations

import pytest

from eximacl.system.text import one_line, printable, printable_text

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
