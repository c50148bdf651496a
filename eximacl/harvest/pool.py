"""Reading with several processes. Rule: they end when we do, at once, whatever the reason; and none that dies ends us.

Each process gets a piece of work when it has done the one before, so that no more than a few are in memory. A process
that is killed (by the kernel, for memory) costs the piece it was at, which is counted as not read.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from eximacl.harvest.message import Reader
from eximacl.harvest.read import Chunk, tally
from eximacl.harvest.tally import Tally

# A child of fork has all that it needs; any other would import it again, from a path that is not ours to say.
_FORK = multiprocessing.get_context("fork")


def work(
    chunks: Iterable[Chunk], reader: Reader, since: float, jobs: int
) -> Generator[tuple[Chunk, Tally], None, None]:
    """Yield each chunk with what is in it, in any order. jobs: how many processes; with 1 it is this one.

    Closing the generator ends the processes at once.
    """
    if jobs == 1:
        for chunk in chunks:
            yield chunk, tally(chunk, reader, since)
        return
    pool = _Pool(reader, since)
    try:
        yield from pool.run(iter(chunks), jobs)
    finally:
        pool.close()


class _Worker:
    """A process, our end of the pipe to it, and what it is reading."""

    def __init__(self, reader: Reader, since: float, others: list[Connection]) -> None:
        self.pipe, theirs = _FORK.Pipe()
        self.chunk: Chunk | None = None
        self.process: BaseProcess = _FORK.Process(
            target=_serve, args=(theirs, [*others, self.pipe], reader, since), daemon=True
        )
        self.process.start()
        theirs.close()


class _Pool:
    """The processes that are running."""

    def __init__(self, reader: Reader, since: float) -> None:
        self._reader = reader
        self._since = since
        self._workers: list[_Worker] = []

    def run(self, chunks: Iterator[Chunk], jobs: int) -> Iterator[tuple[Chunk, Tally]]:
        """Yield results while there is work."""
        for chunk in chunks:
            while len(self._workers) >= jobs and not any(worker.chunk is None for worker in self._workers):
                yield from self._results()
            self._give(chunk)
        while any(worker.chunk for worker in self._workers):
            yield from self._results()

    def close(self) -> None:
        """End all processes now."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def _give(self, chunk: Chunk) -> None:
        worker = next((one for one in self._workers if one.chunk is None), None)
        if worker is None:
            with _no_interrupt():
                worker = _Worker(self._reader, self._since, [one.pipe for one in self._workers])
                self._workers.append(worker)
        worker.chunk = chunk
        with contextlib.suppress(OSError):  # it has died; its pipe says so when results are waited for
            worker.pipe.send(chunk)

    def _results(self) -> Iterator[tuple[Chunk, Tally]]:
        """Wait, and yield what is done."""
        busy = {worker.pipe: worker for worker in self._workers if worker.chunk is not None}
        for pipe in wait(list(busy)):
            assert isinstance(pipe, Connection)
            worker = busy[pipe]
            chunk = worker.chunk
            assert chunk is not None
            worker.chunk = None
            try:
                yield chunk, pipe.recv()
            except (EOFError, OSError):
                yield chunk, self._buried(worker, chunk)

    def _buried(self, worker: _Worker, chunk: Chunk) -> Tally:
        """Take a dead process out, and return what it has left unread."""
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        lost = Tally()
        reason = f"the process that read it has ended ({_cause(worker.process.exitcode)}); try --jobs 1"
        lost.troubles.add("unreadable", chunk.path, reason, max(len(chunk.names), 1))
        return lost


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Let Ctrl-C wait: between fork and its own first line, a child would go on as if it were its parent."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, others: list[Connection], reader: Reader, since: float) -> None:
    """Read what is asked for, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us too; whoever started us ends us
    for other in others:
        other.close()  # or they would stay open with us when our parent is killed
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(tally(pipe.recv(), reader, since))


def _cause(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"status {code}"
