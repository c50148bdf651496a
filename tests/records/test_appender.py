"""Appending to real files: rotated, deleted, unwritable, and on a disk that is really full."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eximacl.records import appender
from eximacl.records.appender import FLUSH_SECONDS, LOOK_SECONDS, Appender
from tests.archive import holding

RECORD = b"a record of some length\n"


class Timer:
    """Keeps what was put off until a test lets the time come."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, call: Callable[[], None]) -> None:
        self.waiting.append((seconds, call))

    def ring(self) -> float:
        """Call the only one that waits; return how long it was put off."""
        [(seconds, call)] = self.waiting
        self.waiting.clear()
        call()
        return seconds


@pytest.fixture
def always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second passes between two flushes."""
    monkeypatch.setattr(appender, "LOOK_SECONDS", 0.0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with holding.small_disk(disk, "size=64k"):
        yield disk


def record_file(path: Path, **options: bool) -> Appender:
    return Appender(path, key="log.rejections", **options)  # type: ignore[arg-type]


def test_writes_nothing_before_its_time_and_then_all_at_once(tmp_path: Path) -> None:
    timer, path = Timer(), tmp_path / "r"
    file = Appender(path, key="log.rejections", later=timer)
    for number in range(3):
        file.write(b"%d\n" % number)
    assert not path.exists()
    assert file.backlog == (3, 0)
    assert timer.ring() == FLUSH_SECONDS
    assert path.read_bytes() == b"0\n1\n2\n"
    assert not timer.waiting
    file.write(b"3\n")
    assert timer.ring() == FLUSH_SECONDS
    file.close()
    assert path.read_bytes() == b"0\n1\n2\n3\n"


async def test_the_event_loop_s_timer_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appender, "FLUSH_SECONDS", 0.0)
    path = tmp_path / "r"
    file = Appender(path, key="log.rejections", later=asyncio.get_running_loop().call_later)
    file.write(RECORD)
    while not path.exists() or not path.stat().st_size:
        await asyncio.sleep(0)
    file.close()
    assert path.read_bytes() == RECORD


def test_makes_file_and_directories_for_owner_and_group_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "r"
    file = record_file(path)
    file.write(RECORD)
    assert file.flush()
    assert path.stat().st_mode & 0o7777 == 0o640
    assert path.parent.stat().st_mode & 0o007 == 0
    file.close()


def test_appends_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(b"old\n")
    file = record_file(path, newline=True)
    file.write(RECORD)
    file.close()
    assert path.read_bytes() == b"old\n" + RECORD


@pytest.mark.parametrize(("newline", "between"), [(True, b"\n"), (False, b"")])
def test_a_torn_last_line_is_ended_first(tmp_path: Path, newline: bool, between: bytes) -> None:
    path = tmp_path / "r"
    path.write_bytes(b'{"torn": ')
    file = record_file(path, newline=newline)
    file.write(RECORD)
    file.close()
    assert path.read_bytes() == b'{"torn": ' + between + RECORD


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    file = record_file(tmp_path / "r")
    file.close()
    file.close()
    assert not (tmp_path / "r").exists()


# Rotation.


@pytest.mark.usefixtures("always_look")
def test_no_line_is_lost_when_the_file_is_renamed_under_load(tmp_path: Path) -> None:
    path = tmp_path / "r"
    file = record_file(path)
    lines = [b"%d\n" % number for number in range(1000)]
    for number, line in enumerate(lines):
        file.write(line)
        if number % 7 == 0:
            file.flush()
        if number % 100 == 50:
            path.rename(tmp_path / f"r.{number:03}")
    file.close()
    rotated = sorted(tmp_path.glob("r.*"))
    assert len(rotated) == 10
    assert b"".join(p.read_bytes() for p in [*rotated, path]) == b"".join(lines)


def test_the_file_is_looked_for_only_now_and_then(tmp_path: Path) -> None:
    path, moved = tmp_path / "r", tmp_path / "moved"
    file = record_file(path)
    file.write(RECORD)
    file.flush()
    path.rename(moved)
    file.write(RECORD)
    file.flush()
    assert moved.read_bytes() == 2 * RECORD
    file.reopen()
    file.write(RECORD)
    file.close()
    assert path.read_bytes() == RECORD


@pytest.mark.usefixtures("always_look")
def test_a_deleted_directory_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "log" / "r"
    file = record_file(path)
    file.write(RECORD)
    file.flush()
    path.unlink()
    path.parent.rmdir()
    file.write(b"later\n")
    assert file.flush()
    assert path.read_bytes() == b"later\n"
    file.close()


def test_goes_on_in_another_file(tmp_path: Path) -> None:
    file = record_file(tmp_path / "one")
    file.write(b"1\n")
    file.reopen(tmp_path / "two")
    file.write(b"2\n")
    file.close()
    assert (tmp_path / "one").read_bytes() == b"1\n"
    assert (tmp_path / "two").read_bytes() == b"2\n"


# Faults.


def test_a_full_disk_keeps_records_and_says_so_once(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    timer = Timer()
    file = Appender(small_disk / "r", key="log.rejections", later=timer)
    lines = [b"%06d\n" % number * 30 for number in range(600)]
    for line in lines:
        file.write(line)
    assert timer.ring() == FLUSH_SECONDS
    waiting, dropped = file.backlog
    assert 0 < waiting < 600
    assert dropped == 0
    for _ in range(3):
        assert timer.ring() == LOOK_SECONDS
    assert caplog.text.count("No space left on device; free space there") == 1
    assert f"({waiting} records waiting, 0 dropped)" in caplog.text
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    assert timer.ring() == LOOK_SECONDS
    assert not timer.waiting
    assert file.backlog == (0, 0)
    assert caplog.text.count("can be written again") == 1
    file.close()
    assert (small_disk / "r").read_bytes() == b"".join(lines)


def test_a_full_disk_costs_no_more_than_a_bounded_memory(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(appender, "MAX_BACKLOG_BYTES", 2000)
    (small_disk / "ballast").write_bytes(b"x" * 65_536)
    file = record_file(small_disk / "r")
    for _ in range(100):
        file.write(b"x" * 99 + b"\n")
        assert not file.flush()
    assert file.backlog == (21, 79)
    (small_disk / "ballast").unlink()
    assert file.flush()
    assert "79 records were dropped" in caplog.text
    assert file.backlog == (0, 0)
    file.close()
    assert (small_disk / "r").stat().st_size == 2100


@pytest.mark.parametrize("newline", [True, False])
def test_a_record_cut_short_by_a_full_disk_comes_whole_after_rotation(small_disk: Path, newline: bool) -> None:
    path = small_disk / "r"
    file = record_file(path, newline=newline)
    lines = [b"%06d" % number * 50 + b"\n" for number in range(400)]
    for line in lines:
        file.write(line)
    assert not file.flush()
    torn = path.stat().st_size % len(lines[0])
    assert torn
    written = path.stat().st_size // len(lines[0])
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    path.rename(small_disk / "old")
    file._close_file()
    assert file.flush()
    file.close()
    assert path.read_bytes() == b"".join(lines[written:])


def test_a_torn_line_on_a_full_disk_is_ended_when_there_is_space(small_disk: Path) -> None:
    path = small_disk / "r"
    (small_disk / "ballast").write_bytes(b"x" * 61_440)
    path.write_bytes(b"torn".rjust(4096))
    file = record_file(path, newline=True)
    file.write(RECORD)
    assert not file.flush()
    assert not file.flush()
    (small_disk / "ballast").unlink()
    assert file.flush()
    file.close()
    assert path.read_bytes() == b"torn".rjust(4096) + b"\n" + RECORD


@pytest.mark.parametrize("place", ["/proc/r", "{file}/r", "{directory}"])
def test_what_cannot_be_written_is_told_with_the_setting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    (tmp_path / "file").touch()
    path = Path(place.format(file=tmp_path / "file", directory=tmp_path))
    file = record_file(path)
    file.write(RECORD)
    assert not file.flush()
    assert f"cannot write {path}: " in caplog.text
    assert "mend it or change log.rejections (1 records waiting, 0 dropped)" in caplog.text
    file.close()
    assert "1 records are lost, since they cannot be written" in caplog.text
    assert file.backlog == (0, 0)


def test_large_batches_are_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appender, "MAX_WRITE_BYTES", 100)
    file = record_file(tmp_path / "r")
    lines = [b"%d\n" % number for number in range(200)]
    for line in lines:
        file.write(line)
    file.close()
    assert (tmp_path / "r").read_bytes() == b"".join(lines)
