"""Locks keep other processes out (here: other descriptors, which flock(2) treats alike), and end with their holder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eximacl.system.locks import directory_lock, open_lock

HOLDER = """
import sys, time
from pathlib import Path
from eximacl.system.locks import directory_lock
with directory_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_one_at_a_time(tmp_path: Path) -> None:
    with directory_lock(tmp_path), pytest.raises(BlockingIOError), directory_lock(tmp_path, wait=False):
        pass
    with directory_lock(tmp_path, wait=False):
        pass


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError), directory_lock(tmp_path, wait=False):
            pass
        holder.kill()
        with directory_lock(tmp_path):  # waits for it
            pass


@pytest.mark.parametrize(
    ("name", "follow", "error"),
    [
        ("link", True, None),
        ("link", False, NotADirectoryError),
        ("file", True, NotADirectoryError),
        ("missing", True, FileNotFoundError),
    ],
)
def test_only_directories_and_links_where_they_may_be(
    tmp_path: Path, name: str, follow: bool, error: type[OSError] | None
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    if error is None:
        with directory_lock(tmp_path / name, follow=follow):
            return
    with pytest.raises(error), directory_lock(tmp_path / name, follow=follow):
        pass


def test_a_lock_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    held = open_lock(path)
    with pytest.raises(BlockingIOError):
        open_lock(path)
    os.close(held)
    os.close(open_lock(path))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_lock_file_is_never_a_link(tmp_path: Path) -> None:
    (tmp_path / "x.lock").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        open_lock(tmp_path / "x.lock")
    assert not (tmp_path / "other").exists()
