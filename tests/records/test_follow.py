"""Following a file through all that happens to a log."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.records.follow import LINE_BYTES_MAX, RENAMED_SECONDS, Follower


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def followed(path: Path, clock: Callable[[], float] = lambda: 0.0) -> tuple[Follower, Callable[[], bytes]]:
    follower = Follower(path, clock)
    return follower, lambda: b"".join(follower.read())


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_follows_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    follower, read = followed(path)
    assert read() == b""
    append(path, b"1\n2\n3")
    assert read() == b"1\n2\n"
    append(path, b"4\n")
    assert read() == b"34\n"
    assert read() == b""
    follower.close()


def test_follows_through_a_rotation(tmp_path: Path) -> None:
    """The writer goes on in the renamed file for a while, and so does the reader."""
    path, clock = tmp_path / "r.jsonl", Clock()
    follower, read = followed(path, clock)
    append(path, b"1\n")
    assert read() == b"1\n"
    path.rename(tmp_path / "r.jsonl.1")
    append(tmp_path / "r.jsonl.1", b"2\n")
    assert read() == b"2\n"
    append(tmp_path / "r.jsonl.1", b"3\n")
    append(path, b"4\n")
    assert read() == b"3\n4\n"
    assert len(follower.look()) == 2
    clock.now = RENAMED_SECONDS + 1
    append(tmp_path / "r.jsonl.1", b"5\n")
    assert read() == b"5\n"
    assert len(follower.look()) == 1
    append(path, b"6\n")
    assert read() == b"6\n"
    follower.close()


def test_follows_a_file_that_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    follower, read = followed(path)
    append(path, b"1\nhalf")
    assert read() == b"1\n"
    path.write_bytes(b"2\n")
    assert read() == b"2\n"
    follower.close()


def test_follows_a_file_that_is_emptied_and_has_grown_again(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    follower, read = followed(path)
    append(path, b"1\n2\nhalf")
    assert read() == b"1\n2\n"
    path.write_bytes(b"3\n4\n5\n6\n7\n8\n9\n")
    assert read() == b"3\n4\n5\n6\n7\n8\n9\n"
    assert read() == b""
    follower.close()


def test_a_line_without_end_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    follower, read = followed(path)
    append(path, b"x" * (2 * LINE_BYTES_MAX))
    assert read().count(b"\n") == 1
    append(path, b"\n1\n")
    assert read() == b"\n1\n"
    follower.close()


def test_what_cannot_be_followed_is_told(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        list(Follower(tmp_path, Clock()).read())
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is not a regular file"):
        list(Follower(tmp_path / "pipe", Clock()).read())
