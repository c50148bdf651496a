"""Reading with several processes, which end when we do: a finished, interrupted or killed harvest leaves none behind.

Each process gets a piece of work when it has done the one before, so that no more than a few are in memory.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from eximacl.harvest.message import Reader
from eximacl.harvest.read import Chunk, tally
from eximacl.harvest.tally import Tally

# A child of fork has all that it needs; any other would import it again, from a path that is not ours to say.
_FORK = multiprocessing.get_context("fork")


class WorkerLost(Exception):
    """A process was killed, so what it was reading is not counted; the text says what to do."""


def work(
    chunks: Iterable[Chunk], reader: Reader, since: float, jobs: int
) -> Generator[tuple[Chunk, Tally], None, None]:
    """Yield each chunk with what is in it, in any order. jobs: how many processes; with 1 it is this one.

    Raises WorkerLost. Closing the generator ends the processes at once.
    """
    if jobs == 1:
        for chunk in chunks:
            yield chunk, tally(chunk, reader, since)
        return
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(jobs, _FORK, _Worker.start, (reader, since))
    try:
        yield from _results(executor, iter(chunks), jobs)
    except BrokenProcessPool:
        raise WorkerLost(
            "a process that was reading mail was killed, perhaps for want of memory; try again with --jobs 1"
        ) from None
    finally:
        # Either they are idle, or nobody wants any more what they are reading.
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        executor.shutdown(cancel_futures=True)


def _results(executor: ProcessPoolExecutor, chunks: Iterator[Chunk], jobs: int) -> Iterator[tuple[Chunk, Tally]]:
    """Keep `jobs` chunks in work while there are any, and yield what is done."""
    waiting: dict[Future[Tally], Chunk] = {}
    while True:
        for chunk in islice(chunks, jobs - len(waiting)):
            with _no_interrupt():
                waiting[executor.submit(_Worker.read, chunk)] = chunk
        if not waiting:
            return
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            yield waiting.pop(future), future.result()


class _Worker:
    """What each process has for itself: a reader, which remembers what it has seen, and the limit in time."""

    reader: Reader
    since: float

    @classmethod
    def start(cls, reader: Reader, since: float) -> None:
        """Prepare a new process."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us, too; our parent ends us
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        # A killed parent cannot end us, and the queue that we wait at stays open in our siblings.
        threading.Thread(target=_end_with_parent, daemon=True).start()
        cls.reader, cls.since = reader, since

    @classmethod
    def read(cls, chunk: Chunk) -> Tally:
        """Read one chunk."""
        return tally(chunk, cls.reader, cls.since)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Let Ctrl-C wait: between fork and its own first line, a child would go on as if it were its parent."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
