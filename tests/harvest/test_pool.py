"""Several processes: the same result as one, none left over, and one that is killed costs its piece only."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from eximacl.harvest import pool
from eximacl.harvest.message import Reader, Wanted
from eximacl.harvest.pool import work
from eximacl.harvest.read import Chunk, tally
from eximacl.harvest.tally import Seen, Tally
from eximacl.mail.lists import Domains

READER = Reader(Wanted(Domains(["example.org"])), 1_800_000_000.0)


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
    assert {who: seen.mails for who, seen in whole.seen.items()} == {
        "a0@example.org": 7, "a1@example.org": 7, "a2@example.org": 6,
    }  # fmt: skip
    assert multiprocessing.active_children() == []


def test_nobody_is_left_when_it_is_closed_early(pieces: list[Chunk]) -> None:
    with contextlib.closing(work(pieces, READER, 0.0, 3)) as results:
        next(results)
        assert multiprocessing.active_children()
    assert multiprocessing.active_children() == []


def test_a_killed_process_costs_its_piece(pieces: list[Chunk], monkeypatch: pytest.MonkeyPatch) -> None:

    def die_at_seven(chunk: Chunk, *rest: object) -> Tally:
        if chunk.names == ("7",):
            os.kill(os.getpid(), signal.SIGKILL)
        return tally(chunk, READER)

    monkeypatch.setattr(pool, "tally", die_at_seven)
    whole = Tally()
    for _, part in work(pieces, READER, 0.0, 2):
        whole.merge(part)
    assert whole.messages == 19
    assert whole.seen["a0@example.org"] == Seen(7, 1606417717, 1606417717)
    assert whole.troubles.counts == {"unreadable": 1}
    assert "signal 9" in whole.troubles.examples["unreadable"][0][1]


def test_one_that_ends_by_itself(pieces: list[Chunk], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "tally", lambda *_: os._exit(3))
    parts = [part for _, part in work(pieces[:4], READER, 0.0, 2)]
    assert [part.troubles["unreadable"] for part in parts] == [1] * 4
    assert "status 3" in parts[0].troubles.examples["unreadable"][0][1]


def test_what_a_process_does(pieces: list[Chunk]) -> None:
    """In this one: it answers, and ends when the other end is closed."""
    ours, theirs = multiprocessing.Pipe()
    extra, other = multiprocessing.Pipe()
    ours.send(pieces[0])
    answered: list[Tally] = []
    before = signal.getsignal(signal.SIGINT)

    class Once:
        def recv(self) -> Chunk:
            if answered:
                raise EOFError
            chunk = theirs.recv()
            assert isinstance(chunk, Chunk)
            return chunk

        def send(self, found: Tally) -> None:
            answered.append(found)

    try:
        pool._serve(Once(), [extra], READER, 0.0)  # type: ignore[arg-type]
    finally:
        signal.signal(signal.SIGINT, before)
    assert answered[0].messages == 1
    assert extra.closed
    for pipe in (ours, theirs, other):
        pipe.close()
