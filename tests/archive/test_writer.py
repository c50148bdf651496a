"""Creating files and directories in the archive: permissions, owners, and errors that name what to change."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path

import pytest

from eximacl.archive.errors import ArchiveError
from eximacl.archive.writer import Writer
from tests.archive.holding import let_everybody_pass, nobody

GROUP = 4  # adm, on every Debian


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "var" / "archive"


def test_prepare_makes_the_archive_and_leaves_one_that_is_there_alone(root: Path) -> None:
    Writer(root).prepare()
    assert mode(root) == 0o750
    root.chmod(0o700)
    Writer(root).prepare()
    assert mode(root) == 0o700


@pytest.mark.needs_root
@pytest.mark.parametrize("group", [str(GROUP), "adm"])
@pytest.mark.parametrize("umask", [0, 0o077])
def test_what_is_made_has_the_archive_s_permissions_and_group(root: Path, group: str, umask: int) -> None:
    before = os.umask(umask)
    try:
        writer = Writer(root, group)
        writer.prepare()
        writer.make_directory(root / "day")
        os.close(writer.create(root / "day" / "file"))
    finally:
        os.umask(before)
    assert [mode(path) for path in (root, root / "day", root / "day" / "file")] == [0o750, 0o750, 0o640]
    assert [path.stat().st_gid for path in (root, root / "day", root / "day" / "file")] == [GROUP] * 3


def test_without_a_group_it_is_the_process_s(root: Path) -> None:
    writer = Writer(root)
    writer.prepare()
    assert root.stat().st_gid == os.getegid()


def test_a_group_that_is_not_there_is_named(root: Path) -> None:
    with pytest.raises(ArchiveError, match=r"^archive\.group: there is no group 'nosuchgroup'$"):
        Writer(root, "nosuchgroup")


def test_a_directory_that_is_there_stays_as_it_is(root: Path) -> None:
    writer = Writer(root)
    writer.prepare()
    (root / "day").mkdir(0o700)
    writer.make_directory(root / "day")
    assert mode(root / "day") == 0o700
    (root / "file").touch()
    with pytest.raises(FileExistsError):
        writer.make_directory(root / "file")


@pytest.mark.parametrize("inside", [False, True])
def test_a_file_in_the_archive_s_place_is_no_directory(root: Path, inside: bool) -> None:
    root.parent.mkdir()
    root.touch()
    path = root / "archive" if inside else root
    with pytest.raises(ArchiveError, match=f"^archive.dir: {path} is not a directory; create it"):
        Writer(path).prepare()


def test_a_file_is_made_once_and_never_through_a_link(root: Path, tmp_path: Path) -> None:
    writer = Writer(root)
    writer.prepare()
    os.close(writer.create(root / "file"))
    with pytest.raises(FileExistsError):
        writer.create(root / "file")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        writer.create(root / "link")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("group", ["4294967295", "99999999999"])
def test_a_number_that_is_no_group_s(root: Path, group: str) -> None:
    """The first one would leave the group as it is, without a word (chown(2))."""
    with pytest.raises(
        ArchiveError, match=rf"^archive\.group: {group} is not a group: the largest number of one is 4294967294$"
    ):
        Writer(root, group)


def test_a_number_of_other_digits_is_no_group(root: Path) -> None:
    with pytest.raises(ArchiveError, match=r"there is no group"):
        Writer(root, "²")


@pytest.mark.parametrize(
    ("where", "wrong"), [("", False), ("new", False), ("file", True), ("file/new", True), ("link", True)]
)
def test_whether_an_archive_can_be_there(tmp_path: Path, where: str, wrong: bool) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nothing")
    with contextlib.ExitStack() as stack:
        if wrong:
            stack.enter_context(
                pytest.raises(ArchiveError, match=r"^archive\.dir: .*/(file|link) is not a directory; name another")
            )
        Writer(tmp_path / where).check()
    assert not (tmp_path / "new").exists()


def test_a_file_that_cannot_have_its_group_is_not_left_behind(root: Path) -> None:
    let_everybody_pass(root.parent.parent)
    Writer(root).prepare()
    root.chmod(0o777)
    root.parent.chmod(0o755)
    writer = Writer(root, str(GROUP))
    with nobody(), pytest.raises(ArchiveError, match=r"^archive\.group: .* must be a member of 4$"), writer.explained():
        writer.create(root / "file")
    assert list(root.iterdir()) == []


def refused(number: int, name: str | None = "/a/b") -> OSError:
    return OSError(number, os.strerror(number), name)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            refused(errno.ENOSPC),
            "archive.dir: /a/b: No space left on device; free some space, or lower archive.keep_mb",
        ),
        (refused(errno.EDQUOT), "archive.dir: /a/b: Disk quota exceeded; free some space, or lower archive.keep_mb"),
        (refused(errno.EACCES), "archive.dir: /a/b: Permission denied; the daemon's user must be able to write there"),
        (refused(errno.EROFS), "archive.dir: /a/b: Read-only file system; the daemon's user must be able to write"),
        (refused(errno.EPERM), "archive.dir: /a/b: Operation not permitted; the daemon's user must be able to write"),
        (refused(errno.EIO), "archive.dir: /a/b: Input/output error"),
        (refused(errno.EIO, None), "archive.dir: ROOT: Input/output error"),
        (refused(errno.ENOENT), "archive.dir: ROOT is not a directory; create it, or mount what belongs there"),
    ],
)
def test_every_error_names_what_to_change(root: Path, error: OSError, text: str) -> None:
    with pytest.raises(ArchiveError, match=f"^{re.escape(text.replace('ROOT', str(root)))}"), Writer(root).explained():
        raise error


def test_a_missing_file_in_an_archive_that_is_there_is_just_that(root: Path) -> None:
    writer = Writer(root)
    writer.prepare()
    with pytest.raises(ArchiveError, match=r"^archive\.dir: /a/b: No such file or directory$"), writer.explained():
        raise refused(errno.ENOENT)
