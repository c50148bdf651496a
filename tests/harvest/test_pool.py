"""Several processes: the same result as one, none left over, and one that is killed ends the run."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.harvest import pool
from eximacl.harvest.message import Criteria, Reader
from eximacl.harvest.pool import WorkerLost, work
from eximacl.harvest.read import Chunk, tally
from eximacl.harvest.tally import Tally
from eximacl.mail.lists import Domains
from tests.lab.waiting import until

READER = Reader(Criteria(Domains(["example.org"])), 1_800_000_000.0)


@pytest.fixture
def pieces(tmp_path: Path) -> list[Chunk]:
    for k in range(20):
        (tmp_path / str(k)).write_text(f"Date: 26 Nov 2020 19:08:37 GMT\nTo: a{k % 3}@example.org\n\n")
    return [Chunk("files", str(tmp_path), (str(k),)) for k in range(20)]


@pytest.mark.parametrize("jobs", [1, 2, 5, 40])
def test_any_number_of_processes_finds_the_same(pieces: list[Chunk], jobs: int) -> None:
    whole = Tally()
    done = []
    with contextlib.closing(work(pieces, READER, 0.0, jobs)) as results:
        for chunk, part in results:
            done.append(chunk)
            whole.merge(part)
    assert sorted(done) == sorted(pieces)
    assert {who: seen.messages for who, seen in whole.seen.items()} == {
        "a0@example.org": 7, "a1@example.org": 7, "a2@example.org": 6,
    }  # fmt: skip
    assert multiprocessing.active_children() == []


def test_nobody_is_left_when_it_is_closed_early(pieces: list[Chunk]) -> None:
    with contextlib.closing(work(pieces, READER, 0.0, 3)) as results:
        next(results)
        assert multiprocessing.active_children()
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    "end", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(3)], ids=["killed", "ended"]
)
def test_a_killed_process_ends_the_run(
    pieces: list[Chunk], monkeypatch: pytest.MonkeyPatch, end: Callable[[], None]
) -> None:
    def end_at_seven(chunk: Chunk, *_: object) -> Tally:
        if chunk.names == ("7",):
            end()
        return tally(chunk, READER)

    monkeypatch.setattr(pool, "tally", end_at_seven)
    with pytest.raises(WorkerLost, match="was killed, perhaps for want of memory; try again with --jobs 1"):
        list(work(pieces, READER, 0.0, 2))
    assert multiprocessing.active_children() == []


ORPHANS = """
import itertools, os, sys
from eximacl.harvest.message import Criteria, Reader
from eximacl.harvest.pool import WorkerLost, work
from eximacl.harvest.read import Chunk
from eximacl.mail.lists import Domains
from tests.lab.waiting import until
import multiprocessing
chunk = Chunk("files", sys.argv[1], ("1",))
for _ in work(itertools.repeat(chunk), Reader(Criteria(Domains(["example.org"])), 0.0), 0.0, 3):
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""


def test_a_killed_harvest_leaves_no_process(pieces: list[Chunk]) -> None:
    command = [sys.executable, "-c", ORPHANS, pieces[0].path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as harvest:
        assert harvest.stdout is not None
        children = [int(pid) for pid in harvest.stdout.readline().split()]
        harvest.kill()
    assert len(children) == 3
    until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in children), "their end")


def test_other_children_live_on(pieces: list[Chunk]) -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeping:
        other = multiprocessing.get_context("fork").Process(target=signal.pause)
        other.start()
        assert len(list(work(pieces, READER, 0.0, 2))) == len(pieces)
        assert (sleeping.poll(), other.exitcode) == (None, None)
        sleeping.kill()
        other.kill()
        other.join()
