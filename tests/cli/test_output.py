"""Rows that fit the terminal, and nothing in them that it would obey."""

from __future__ import annotations

import io
import sys

import pytest

from eximacl.cli.output import (
    SAMPLE_ROWS,
    Column,
    Style,
    Table,
    cells,
    cut,
    duration,
    fields,
    paint,
    plural,
    printable_lines,
    size,
    terminal_width,
    wrapped,
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
        pytest.param(20, ["A     B       C", "aaaa  bbbbb…  ccccc…"], id="they grow alike"),
        pytest.param(17, ["A     B     C", "aaaa  bbb…  cccc…"], id="the lower rank grows first"),
        pytest.param(16, ["A     B     C", "aaaa  bbb…  ccc…"], id="all at their least"),
        pytest.param(15, ["A     C", "aaaa  cccccccc"], id="one too many"),
        pytest.param(3, ["A", "aaaa"], id="no room at all"),
    ],
)
def test_columns_fit(width: int, lines: list[str]) -> None:
    table = Table(COLUMNS, width)
    assert [table.head(), table.row(ROW)] == lines


@pytest.mark.parametrize(
    ("width", "texts", "lines"),
    [
        pytest.param(20, ("aa", "b", "c" * 9), ["A   B  C", "aa  b  ccccccccc"], id="as wide as their texts"),
        pytest.param(40, ("a", "b", "c" * 30), ["A  B  C", f"a  b  {'c' * 30}"], id="wider than usual, with room"),
        pytest.param(
            20, ("aa", "b" * 9, "cc"), ["A   B          C", "aa  bbbbbbbbb  cc"], id="no room is lost to padding"
        ),
        pytest.param(20, ("aaaa", "b" * 9, "c" * 9), ["A     B       C", "aaaa  bbbbb…  ccccc…"], id="all cut alike"),
        pytest.param(10, ("a", "bb", "c"), ["A  B   C", "a  bb  c"], id="more columns than at their least"),
        pytest.param(20, ("日本", "\n", "c"), ["A     B   C", "日本  \\n  c"], id="in cells, as they are shown"),
    ],
)
def test_columns_fit_what_is_known_to_come(width: int, texts: tuple[str, str, str], lines: list[str]) -> None:
    row = dict(zip("abc", texts, strict=True))
    table = Table(COLUMNS, width, [row])
    assert [table.head(), table.row(row)] == lines


WIDE = (
    Column[Row]("A", lambda row: row["a"], 60, 70, 0),
    Column[Row]("B", lambda row: row["b"], 18, 30, 1),
    Column[Row]("C", lambda row: row["c"], 4, 8, 2),
)


@pytest.mark.parametrize(("width", "widths"), [(80, [60, 18]), (99, [70, 27]), (107, [70, 30]), (108, [70, 30, 4])])
def test_what_does_not_fit_80_columns_is_shown_where_nothing_is_cut_for_it(width: int, widths: list[int]) -> None:
    row = {"a": "a" * 70, "b": "b" * 30, "c": "cccc"}
    assert [len(text) for text in Table(WIDE, width, [row]).row(row).split()] == widths


def test_what_comes_after_the_sample_has_the_usual_room() -> None:
    table = Table(COLUMNS, 100, [{"a": "a", "b": "b", "c": "c"}] * SAMPLE_ROWS)
    assert table.row(ROW) == "aaaa  bbbbbbbbbb  cccccccc"


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


FIELDS = [("Policy", "/etc/eximacl/eximacl.toml, which was loaded at noon"), ("日本", "two")]


def test_fields_are_aligned() -> None:
    assert list(fields(FIELDS)) == ["Policy  /etc/eximacl/eximacl.toml, which was loaded at noon", "日本    two"]


def test_on_a_terminal_they_are_wrapped_but_no_word_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eximacl.cli.output.terminal_width", lambda: 40)
    assert list(fields(FIELDS)) == [
        "Policy  /etc/eximacl/eximacl.toml, which",
        "        was loaded at noon",
        "日本    two",
    ]
    assert list(wrapped("x" * 50, "> ", 2)) == ["> " + "x" * 50]


class Stream(io.StringIO):
    """A terminal, or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("terminal", "environ", "coloured"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_when_there_is_colour(
    terminal: bool, environ: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    shown = "\x1b[1;31mreject\x1b[0m" if coloured else "reject"
    assert paint("reject", Style.BAD, Stream(terminal)) == shown
    assert paint("reject", None, Stream(terminal)) == "reject"


def test_a_table_in_colour_is_as_wide_as_one_without(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [COLUMNS[0]._replace(style=lambda _: Style.BAD), COLUMNS[1]]
    plain = Table(columns, 20).row(ROW)
    monkeypatch.setattr("eximacl.cli.output.has_colour", lambda _: True)
    table = Table(columns, 20)
    assert table.row(ROW) == plain.replace("aaaa", "\x1b[1;31maaaa\x1b[0m")
    assert table.head() == "\x1b[1mA\x1b[0m     \x1b[1mB\x1b[0m"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (11_525, "3 h 12 min"),
        (3605, "1 h"),
        (86_400 * 5 + 7300, "5 d 2 h"),
        (-3, "0 s"),
        (1e15, "11574074074 d 1 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [(1, ("file",), "1 file"), (1200, ("file",), "1,200 files"), (0, ("entry", "entries"), "0 entries")],
)
def test_plurals(count: int, words: tuple[str, ...], text: str) -> None:
    assert plural(count, *words) == text


def test_objects_are_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    write_object({"a": "ä\x7f\x1b"})
    assert capsys.readouterr().out == '{"a": "\\u00e4\\u007f\\u001b"}\n'
    write_object({"a": "\udcff"})
    assert capsys.readouterr().out == '{"a": "\\ufffd", "raw": {"a": "\\\\xff"}}\n'


KEPT = [
    # the widths of NAME, which is kept, and of FROM
    (20, ("a" * 10, "b" * 4), [10, 4]),
    (20, ("a" * 10, "b" * 20), [10, 8]),
    (20, ("a" * 14, "b" * 20), [14, 4]),
    (20, ("a" * 18, "b" * 20), [18]),
    (20, ("a" * 30, "b" * 20), [20]),
    (60, ("a" * 30, "b" * 20), [30, 20]),
]


@pytest.mark.parametrize(("width", "row", "widths"), KEPT)
def test_what_names_a_row_is_cut_last(width: int, row: tuple[str, str], widths: list[int]) -> None:
    columns = (
        Column[tuple[str, str]]("NAME", lambda row: row[0], 4, 30, 0, keep=True),
        Column[tuple[str, str]]("FROM", lambda row: row[1], 4, 20, 1),
    )
    assert [len(text) for text in Table(columns, width, [row]).row(row).split()] == widths
