"""Rows that fit the terminal, and nothing in them that it would obey."""

from __future__ import annotations

import io
import sys

import pytest

from eximacl.cli.output import (
    Column,
    Table,
    cells,
    cut,
    printable_lines,
    size,
    terminal_width,
    write_line,
    write_object,
)

Row = dict[str, str]
COLUMNS = (
    Column[Row]("A", lambda row: row["a"], 4, 4, 0),
    Column[Row]("B", lambda row: row["b"], 4, 10, 2),
    Column[Row]("C", lambda row: row["c"], 4, 8, 1),
)
ROW = {"a": "aaaa", "b": "bbbbbbbbbb", "c": "cccccccc"}


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        pytest.param(0, ["A     B           C", "aaaa  bbbbbbbbbb  cccccccc"], id="no terminal"),
        pytest.param(100, ["A     B           C", "aaaa  bbbbbbbbbb  cccccccc"], id="wide"),
        pytest.param(20, ["A     B     C", "aaaa  bbb…  cccccccc"], id="the lower rank grows first"),
        pytest.param(16, ["A     B     C", "aaaa  bbb…  ccc…"], id="all at their least"),
        pytest.param(15, ["A     C", "aaaa  cccccccc"], id="one too many"),
        pytest.param(3, ["A", "aaaa"], id="no room at all"),
    ],
)
def test_columns_fit(width: int, lines: list[str]) -> None:
    table = Table(COLUMNS, width)
    assert [table.head(), table.row(ROW)] == lines


def test_texts_are_made_safe_and_padded() -> None:
    table = Table(COLUMNS, 40)
    assert table.row({"a": "\n", "b": "\x1b[1m\u202e\udcff", "c": "日本"}) == "\\n    \\x1b[1m\\u…  日本"


def test_without_a_terminal_nothing_is_cut() -> None:
    assert Table(COLUMNS, 0).row({"a": "aaaaaa", "b": "", "c": "c"}) == "aaaaaa              c"


@pytest.mark.parametrize(
    ("text", "count"), [("abc", 3), ("ä", 1), ("日本", 4), ("e\u0301", 1), ("", 0), ("\U0001f600", 2)]
)
def test_cells(text: str, count: int) -> None:
    assert cells(text) == count


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("日本", 4, "日本")],
)
def test_cut(text: str, width: int, expected: str) -> None:
    assert cut(text, width) == expected


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9951, "10 kB"),
        (999_400, "999 kB"),
        (999_600, "1.0 MB"),
        (50_000_000, "50 MB"),
        (3_200_000_000_000, "3200 GB"),
    ],
)
def test_size(count: int, text: str) -> None:
    assert size(count) == text


def test_printable_lines() -> None:
    assert list(printable_lines("a\tb\r\n\x1b[2J\rc\x85d\n")) == ["a       b", "\\x1b[2J", "c\\x85d"]


def test_no_terminal() -> None:
    assert not sys.stdout.isatty()
    assert terminal_width() == 0


@pytest.mark.parametrize(
    ("encoding", "written"), [("utf-8", "ä 日".encode()), ("iso-8859-1", b"\xe4 \\u65e5"), ("ascii", b"\\xe4 \\u65e5")]
)
def test_other_character_sets(encoding: str, written: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding, write_through=True))
    write_line("ä 日")
    assert buffer.getvalue() == written + b"\n"


def test_objects_are_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    write_object({"a": "ä\x7f\x1b\udcff"})
    assert capsys.readouterr().out == '{"a": "\\u00e4\\u007f\\u001b\\udcff"}\n'
