"""The bytes of an archived message, read for a person and written elsewhere."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from eximacl.archive import ArchiveError, Message, messages
from eximacl.archive.content import export, export_to, show
from tests.archive.holding import BODY, HEADERS, archive_at, held, small_disk, spool_with

WHOLE = HEADERS.encode() + b"\n" + BODY


@pytest.fixture
def message(tmp_path: Path) -> Message:
    archive = archive_at(tmp_path / "archive")
    archive.store(held(spool_with(tmp_path / "spool")))
    (found,) = messages(archive.root)
    return found


@pytest.mark.parametrize(("shown_bytes", "rest"), [(len(WHOLE) - 1, True), (len(WHOLE), False)])
def test_show(message: Message, shown_bytes: int, rest: bool) -> None:
    shown = show(message, shown_bytes)
    assert (shown.altered, shown.rest, shown.view.headers[0]) == (False, rest, ("Subject", "hello"))


def test_altered(message: Message, tmp_path: Path) -> None:
    target = io.BytesIO()
    assert not export(message, target)
    assert target.getvalue() == WHOLE
    message.path.write_bytes(WHOLE + b"more")
    assert show(message).altered
    assert export(message, io.BytesIO())
    assert export_to(message, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == WHOLE + b"more"


def test_a_new_file_only(message: Message, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("precious")
    with pytest.raises(ArchiveError, match="out exists already; it stays as it is"):
        export_to(message, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "precious"


def test_nothing_is_left_of_what_cannot_be_written_whole(message: Message, tmp_path: Path) -> None:
    message.path.write_bytes(b"x" * 200_000)
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk", "size=64k"):
        with pytest.raises(ArchiveError, match="No space left on device; it was deleted again"):
            export_to(message, tmp_path / "disk/out")
        assert list((tmp_path / "disk").iterdir()) == []
