"""Only regular files are opened; a file is replaced in one step, with the owner and the mode that it should have."""

from __future__ import annotations

import fcntl
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.system.files import (
    identity,
    open_descriptor,
    open_regular,
    read_regular,
    replace_file,
    sweep,
    sync_directory,
    write_all,
    write_new,
)
from tests.archive.holding import let_everybody_pass, nobody, small_disk
from tests.system.irregular import IRREGULAR

OWNER = (65534, 4)  # nobody and adm, on every Debian


def dress(path: Path) -> tuple[int, int, int]:
    """Return the user, group and mode of a file, or of the link at `path`."""
    found = path.lstat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize(("make", "text"), IRREGULAR)
def test_only_regular_files_are_opened(tmp_path: Path, make: Callable[[Path], None], text: str) -> None:
    make(tmp_path / "x")
    readers: list[Callable[[Path], object]] = [open_descriptor, open_regular, lambda path: read_regular(path, 10)]
    for read in readers:
        with pytest.raises(OSError, match=text):
            read(tmp_path / "x")


def test_a_link_is_followed_unless_it_may_not_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 4) == b"data"
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        open_regular(tmp_path / "link", follow=False)


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"a" * 2048)
    assert read_regular(path, 2048) == b"a" * 2048
    with pytest.raises(OSError, match="it is longer than 1 KiB"):
        read_regular(path, 1024)


def test_the_identity_of_a_file(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.touch()
    other.touch()
    (tmp_path / "link").symlink_to("file")
    found = identity(path)
    assert found is not None
    assert found == identity(tmp_path / "link") != identity(tmp_path / "link", follow=False)
    assert found != identity(other)
    path.rename(tmp_path / "renamed")
    assert identity(tmp_path / "renamed") == found
    assert identity(path) is identity(other / "below") is identity(tmp_path / "link") is None
    with pytest.raises(OSError, match="File name too long"):
        identity(tmp_path / ("x" * 300))


class Hesitant(io.BytesIO):
    """A file that takes three bytes at a time, as a full disk or a signal does."""

    def write(self, data: object) -> int:
        return super().write(memoryview(data)[:3])  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"x", b"0123456789"])
def test_all_is_written_however_little_at_a_time(data: bytes) -> None:
    file = Hesitant()
    write_all(file, data)
    assert file.getvalue() == data


@pytest.mark.needs_root
def test_a_new_file_has_its_owner_and_mode_and_takes_no_other_s_place(tmp_path: Path) -> None:
    path = tmp_path / "new"
    write_new(path, b"data", 0o2640, OWNER)
    assert (path.read_bytes(), dress(path)) == (b"data", (*OWNER, 0o2640))
    (tmp_path / "link").symlink_to("elsewhere")
    for taken in (path, tmp_path / "link"):
        with pytest.raises(FileExistsError):
            write_new(taken, b"other")
    assert (path.read_bytes(), names(tmp_path)) == (b"data", ["link", "new"])


# What is there, what is asked for, and who owns it in which mode afterwards.
US = (os.getuid(), os.getgid())
REPLACED = [
    pytest.param(None, {}, (*US, 0o644), id="a new one"),
    pytest.param(None, {"mode": 0o600}, (*US, 0o600), id="a new one with a mode"),
    pytest.param(None, {"new_owner": OWNER}, (*OWNER, 0o644), id="a new one with an owner"),
    pytest.param(0o600, {}, (*OWNER, 0o600), id="an old one keeps owner and mode"),
    pytest.param(0o4755, {}, (*OWNER, 0o4755), id="all of its mode"),
    pytest.param(0o600, {"mode": 0o640, "new_owner": US}, (*OWNER, 0o640), id="an old one gets a mode"),
]


@pytest.mark.needs_root
@pytest.mark.parametrize("umask", [0, 0o077])
@pytest.mark.parametrize(("old", "options", "expected"), REPLACED)
def test_owner_and_mode(
    tmp_path: Path, umask: int, old: int | None, options: dict[str, object], expected: tuple[int, int, int]
) -> None:
    path = tmp_path / "file"
    if old is not None:
        write_new(path, b"old", old, OWNER)
    before = os.umask(umask)
    try:
        replace_file(path, b"new", **options)  # type: ignore[arg-type]
    finally:
        os.umask(before)
    assert (path.read_bytes(), dress(path), names(tmp_path)) == (b"new", expected, ["file"])


def test_whoever_reads_it_finds_the_old_content_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with path.open("rb") as before:
        replace_file(path, b"new")
        assert (before.read(), path.read_bytes()) == (b"old", b"new")


@pytest.mark.parametrize("follow", [True, False])
def test_a_link_stays_one_or_is_replaced(tmp_path: Path, follow: bool) -> None:
    (tmp_path / "managed").mkdir()
    target, link = tmp_path / "managed/file", tmp_path / "link"
    write_new(target, b"old", 0o600)
    link.symlink_to(target)
    replace_file(link, b"new", follow=follow)
    assert link.is_symlink() == follow
    assert target.read_bytes() == (b"new" if follow else b"old")
    assert link.read_bytes() == b"new"
    assert names(target.parent) == ["file"]


@pytest.mark.parametrize("give_away", [True, False])
def test_a_file_that_we_may_not_give_to_its_owner(tmp_path: Path, give_away: bool) -> None:
    let_everybody_pass(tmp_path)
    tmp_path.chmod(0o777)
    path = tmp_path / "file"
    write_new(path, b"old", 0o644)
    with nobody():
        if give_away:
            with pytest.raises(PermissionError):
                replace_file(path, b"new")
        else:
            replace_file(path, b"new", give_away=False)
    assert path.read_bytes() == (b"old" if give_away else b"new")
    assert (path.stat().st_uid == 0, names(tmp_path)) == (give_away, ["file"])


def test_what_cannot_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=64k"):
        path = tmp_path / "file"
        path.write_bytes(b"old")
        with pytest.raises(OSError, match="No space left"):
            replace_file(path, b"x" * 100_000)
        assert (path.read_bytes(), names(tmp_path)) == (b"old", ["file"])
    (tmp_path / "directory").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "directory", b"new")
    assert names(tmp_path) == ["directory"]


@pytest.mark.parametrize("act", [sweep, lambda path: replace_file(path, b"new")], ids=["sweep", "replace_file"])
def test_what_a_killed_one_left_goes(tmp_path: Path, act: Callable[[Path], None]) -> None:
    kept = {".list.un~", ".list.ABCDEFGH~", ".other.abcdefgh~", ".list.writing_~", "list"}
    for name in (".list.abcdefgh~", *kept):
        (tmp_path / name).write_text("torn")
    (tmp_path / ".list.is_a_dir~").mkdir()
    (tmp_path / ".list.is_alink~").symlink_to(tmp_path / "list")
    with (tmp_path / ".list.writing_~").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        act(tmp_path / "list")
    assert set(names(tmp_path)) == {*kept, ".list.is_a_dir~", ".list.is_alink~"}


def test_while_it_is_written_it_is_nobodys_leftover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def beside(self: Path, target: Path) -> Path:
        sweep(tmp_path / "list")
        assert self.exists()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", beside)
    replace_file(tmp_path / "list", b"data")
    assert names(tmp_path) == ["list"]


def test_a_directory_is_brought_to_the_disk_and_nothing_else(tmp_path: Path) -> None:
    sync_directory(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_directory(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        sync_directory(tmp_path / "missing")
