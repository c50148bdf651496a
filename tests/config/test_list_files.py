"""What counts as an entry of a file or a directory, and how wrong ones are numbered."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.config.list_files import (
    BAD_ENTRIES_MAX,
    BLOCK_CHARACTERS,
    bad_entries,
    directory_entries,
    file_entries,
    fill,
    numbered_lines,
)
from eximacl.config.losses import Content
from eximacl.config.problems import Refused
from eximacl.mail.entry_list import EntryList
from eximacl.mail.lists import Names, Suffixes


@pytest.mark.parametrize(
    ("data", "entries"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"sa\nvn\n", ["sa", "vn"], id="plain"),
        pytest.param(b"sa\nvn", ["sa", "vn"], id="no-last-newline"),
        pytest.param(b"sa\r\nvn\r\n", ["sa", "vn"], id="crlf"),
        pytest.param(b"\n\nsa\n\n \t\nvn\n", ["sa", "vn"], id="blank-lines"),
        pytest.param(b"  sa \n\tvn\t\n", ["sa", "vn"], id="blanks-around"),
        pytest.param(b"# all\nsa # one\nvn\t#two\n  # three\n", ["sa", "vn"], id="comments"),
        pytest.param(b"a#b\n[#]\n", ["a#b", "[#]"], id="hash-inside-a-word"),
        pytest.param(b"joe No longer here\n", ["joe No longer here"], id="blanks-inside"),
        pytest.param(b"\xef\xbb\xbfsa\n", ["sa"], id="byte-order-mark"),
        pytest.param("jürgen\n".encode(), ["jürgen"], id="utf-8"),
        pytest.param(b"j\xfcrgen\n", ["j\udcfcrgen"], id="not-utf-8"),
        pytest.param(b"a\xc2\xa0b\n", ["a\xa0b"], id="only-ascii-blanks-separate"),
    ],
)
def test_entries_of_a_file(tmp_path: Path, data: bytes, entries: list[str]) -> None:
    path = tmp_path / "list"
    path.write_bytes(data)
    assert list(file_entries(path)) == entries
    assert [entry for _, entry in numbered_lines(path)] == entries


def test_a_file_longer_than_a_block_is_read_in_whole_lines(tmp_path: Path) -> None:
    expected = [f"user{number:06}" for number in range(BLOCK_CHARACTERS // 5)]
    path = tmp_path / "list"
    path.write_text("\n".join(expected))
    assert list(file_entries(path)) == expected


def test_entries_of_a_directory_are_its_file_names(tmp_path: Path) -> None:
    for name in ("vn", "sa", ".hidden", "sa~"):
        (tmp_path / name).touch()
    (tmp_path / "old").mkdir()
    assert directory_entries(tmp_path) == ["sa", "vn"]


def test_texts_of_a_directory_are_what_its_files_hold(tmp_path: Path) -> None:
    (tmp_path / "joe").write_text("No longer\nworks here.\n")
    (tmp_path / "ann").touch()
    assert directory_entries(tmp_path, texts=True) == ["ann", "joe No longer works here."]


def test_bad_entries_are_numbered_and_few() -> None:
    numbered = [(number, "a b") for number in range(1, 100)]
    found = bad_entries(Suffixes, [(0, "sa"), *numbered])
    assert found[0][0] == 1
    assert found[0][1].startswith("'a b' is not a domain name: it has a blank in it")
    assert len(found) == BAD_ENTRIES_MAX


def test_the_number_of_entries_is_judged_before_they_count(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("sa\n# comment\n\nvn\n")
    names = Names(["ws"])

    def judge(fresh: EntryList, content: Content) -> None:
        assert isinstance(fresh, Names)
        raise Refused(f"{content.size} are not enough, without {names.missing_in(fresh)}")

    with pytest.raises(Refused, match="2 are not enough, without 1"):
        fill(names, path, "list", judge)
    assert "ws" in names
    with path.open("a") as file:
        file.write("a b\n")
    with pytest.raises(Refused, match=r"^list line 5: 'a b' is not a localpart"):
        fill(names, path, "list", judge)
    path.write_text("sa\nvn\n")
    assert fill(names, path, "list") == Content(2, ended=True)
    path.write_text("sa\nvn")
    assert fill(names, path, "list") == Content(2, ended=False)
    path.write_text("")
    assert fill(names, path, "list") == Content(0, ended=True)
    assert len(names) == 0
