"""A text goes into a file at once, and whatever else the file is stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eximacl.exim.write import duplicate, put


def test_a_new_file_can_be_read_by_all_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        put(tmp_path / "new", "a \udcff\n")
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_bytes() == b"a \xff\n"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o644
    put(tmp_path / "new", None)
    put(tmp_path / "new", None)
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "managed").mkdir()
    target = tmp_path / "managed" / "file"
    target.write_text("before\n")
    target.chmod(0o640)
    (tmp_path / "link").symlink_to(target)
    put(tmp_path / "link", "after\n")
    assert (tmp_path / "link").is_symlink()
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("after\n", 0o640)
    put(tmp_path / "link", None)
    assert (tmp_path / "link").is_symlink()
    assert not target.exists()


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        put(tmp_path / "taken", "text\n")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_copy_has_mode_and_time_and_takes_no_place(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x\n")
    path.chmod(0o600)
    os.utime(path, (1, 2))
    duplicate(path, tmp_path / "copy")
    found, copied = path.stat(), (tmp_path / "copy").stat()
    assert (copied.st_mode, copied.st_uid, copied.st_gid, copied.st_mtime_ns) == (
        *(found.st_mode, found.st_uid),
        *(found.st_gid, found.st_mtime_ns),
    )
    with pytest.raises(FileExistsError):
        duplicate(path, tmp_path / "copy")
