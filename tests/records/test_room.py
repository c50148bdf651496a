"""How far a record file may grow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.records.room import GROWTH_SECONDS, Bounds, NoRoom, Room, cut_text, short_of
from tests.archive.holding import small_disk
from tests.needs import needs

MB = 1_000_000


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "r", os.O_RDWR | os.O_APPEND | os.O_CREAT)
    yield fd
    os.close(fd)


def disk(blocks: int, free: int) -> os.statvfs_result:
    """Return what a file system of so many bytes says of itself."""
    return os.statvfs_result((1, 1, blocks, free, free, 1, 1, 1, 0, 255))


def fill(room: Room, fd: int, record: int = 1000) -> int:
    """Append records until there is no room; return the size of the file."""
    try:
        while True:
            room.left(fd, record)
            os.write(fd, bytes(record))
    except NoRoom:
        return os.fstat(fd).st_size


def test_without_bounds_there_is_always_room(file: int) -> None:
    assert Room(Bounds()).left(file, 10**12) >= 10**12


def test_each_hour_takes_half_of_what_is_left(file: int) -> None:
    clock = Clock()
    room = Room(Bounds(MB, "log.max_mb = 1", "log.max_mb"), clock)
    sizes = []
    for _ in range(4):
        sizes.append(fill(room, file))
        clock.now += GROWTH_SECONDS
    assert sizes == [500_000, 750_000, 875_000, 937_000]


def test_a_file_that_is_full_says_what_to_do(file: int) -> None:
    os.ftruncate(file, MB)
    with pytest.raises(NoRoom) as caught:
        Room(Bounds(MB, "log.max_mb = 1", "log.max_mb")).left(file, 1)
    assert caught.value.strerror == "it has reached its bound (log.max_mb = 1)"
    assert caught.value.cure == "move it away, or raise log.max_mb"


def test_another_file_begins_with_its_own_room(file: int) -> None:
    room = Room(Bounds(MB, "log.max_mb = 1", "log.max_mb"), Clock())
    fill(room, file)
    os.ftruncate(file, 0)
    room.begin()
    assert room.left(file, 1) == 500_000


def test_a_bound_that_was_lowered_or_raised_counts_at_once(file: int) -> None:
    room = Room(Bounds(), Clock())
    os.ftruncate(file, 2 * MB)
    room.bounds = Bounds(MB, "log.max_mb = 1", "log.max_mb")
    with pytest.raises(NoRoom):
        room.left(file, 1)
    room.bounds = Bounds(4 * MB, "log.max_mb = 4", "log.max_mb")
    assert room.left(file, 1) == MB


SPACE = [
    pytest.param(disk(10_000 * MB, 200 * MB), "", id="just enough"),
    pytest.param(disk(10_000 * MB, 199 * MB), "only 199.0 MB are free there, and 200.0 MB have to be", id="too little"),
    pytest.param(disk(100 * MB, 20 * MB), "", id="a fifth of a small disk"),
    pytest.param(
        disk(100 * MB, 19 * MB), "only 19.0 MB are free there, and 20.0 MB have to be", id="less than a fifth"
    ),
    pytest.param(disk(0, 0), "", id="no size"),
]


@pytest.mark.parametrize(("found", "expected"), SPACE)
def test_what_a_disk_lacks(found: os.statvfs_result, expected: str) -> None:
    assert short_of(found, 200 * MB) == expected


@needs("needs_root")
def test_a_disk_that_fills_up_is_left_room_for_others(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=10m"):
        fd = os.open(tmp_path / "r", os.O_RDWR | os.O_APPEND | os.O_CREAT)
        room = Room(Bounds(free=200 * MB, free_from="log.free_mb = 200"))
        assert 7 * MB < fill(room, fd, 100_000) < 9 * MB
        with pytest.raises(NoRoom, match=r"and 2\.1 MB have to be \(log\.free_mb = 200\)") as caught:
            room.left(fd, 1)
        assert caught.value.cure == "free space there"
        assert os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize > 1.9 * MB
        os.close(fd)


def test_texts_are_cut_and_say_so() -> None:
    assert cut_text("abc", 3) == "abc"
    assert cut_text("abcd", 3) == "abc…(cut)"
