"""What is refused cannot be written down."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.records import PathKind, records, writable
from eximacl.protocol.client import DaemonError
from tests.archive.holding import small_disk
from tests.doctor import breaks
from tests.doctor.breaks import full
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

LOG, JOURNAL = 'rejections = "rejections.jsonl"', 'dir = "journal"'
WAYS: dict[str, Way] = {
    "log not writable": Way(breaks.exims_log, "problem", "log.rejections: the daemon may not write"),
    "log is a FIFO": Way(breaks.fifo("rejections.jsonl"), "problem", "rejections.jsonl is not a regular file"),
    "disk of the log full": Way(
        full(LOG, 'rejections = "DISK/r.jsonl"'), "problem", "log.rejections: the disk .* full"
    ),
    "disk of the journal full": Way(full(JOURNAL, 'dir = "DISK/j"'), "problem", "journal.dir: the disk .* full"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "records", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("records") == {"ok"}


@pytest.mark.parametrize(("name", "kind"), [("fifo", "file"), ("directory", "file"), ("file", "directory")])
def test_a_thing_of_another_kind(tmp_path: Path, name: str, kind: PathKind) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    case = known(tmp_path, daemon_user=None, _asked=DaemonError("nobody listens"))
    ((level, what),) = told(lambda case: writable(case, "name", tmp_path / name, kind), case)
    assert (level, what.startswith(f"name: {tmp_path / name} is not a ")) == ("problem", True)


NOBODY = '[log]\nrejections = ""\n[journal]\ndir = ""\n'


def test_records_that_were_dropped_are_told(tmp_path: Path) -> None:
    file = {"dropped": 3, "waiting": 2, "path": "/var/log/x"}
    case = known(tmp_path, NOBODY, _asked={"records": {"log": file, "journal": {**file, "dropped": 0}}})
    assert told(records, case) == [("problem", "log: 3 records were dropped, 2 wait for /var/log/x")]


def test_a_disk_that_is_soon_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eximacl.doctor.diagnoses.records.FREE_BYTES_LOW", 1 << 62)
    case = known(tmp_path, daemon_user=None, _asked=DaemonError("nobody listens"))
    ((level, what),) = told(lambda case: writable(case, "journal.dir", tmp_path, "directory"), case)
    assert (level, what.endswith(" MB left")) == ("warning", True)


def test_a_disk_whose_rest_is_left_to_exim(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "size=1000m"):
        with (disk / "ballast").open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, 900_000_000)
        text = f'[log]\nrejections = "{disk}/r.jsonl"\n[journal]\ndir = "{disk}/j"\nfree_mb = 0\n'
        case = known(tmp_path, text, daemon_user=None, _asked=DaemonError("nobody listens"))
        ((level, what),) = told(records, case)
    assert level == "problem"
    assert what.startswith(f"log.free_mb = 200: {disk}/r.jsonl: only 1")
    assert what.endswith("MB are free there, and 200.0 MB have to be")
