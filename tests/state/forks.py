"""Other processes for the tests: a forked child that runs a function, talks through a pipe, and can be killed."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import NoReturn

# Far longer than any of these tests takes; a child that hangs is ended by its own alarm.
CHILD_SECONDS = 60

Tell = Callable[[str], None]


class Child:
    """A forked process that runs `function(tell)`; each `tell` is a line here."""

    def __init__(self, function: Callable[[Tell], None]) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            _run(function, writing)
        os.close(writing)
        self.lines = os.fdopen(reading, encoding="utf-8")
        self.status: int | None = None

    def line(self) -> str:
        """Wait for the next line; empty when the child has ended."""
        return next(self.lines, "").rstrip("\n")

    def rest(self) -> list[str]:
        """Wait for the child's end, and return the lines that were not read yet. Torn last lines are left out."""
        lines = [line[:-1] for line in self.lines if line.endswith("\n")]
        self.wait()
        return lines

    def kill(self) -> None:
        """End the child at once, as `kill -9` does."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for the child's end and return its exit status; negative: the signal that ended it."""
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.status is None:
            with suppress(ProcessLookupError):
                self.kill()
            self.wait()
        self.lines.close()


@contextmanager
def children(function: Callable[[Tell], None], number: int) -> Iterator[list[Child]]:
    """Fork this many children that run the same function."""
    started: list[Child] = []
    try:
        for _ in range(number):
            started.append(Child(function))
        yield started
    finally:
        for child in started:
            child.__exit__(None, None, None)


def _run(function: Callable[[Tell], None], writing: int) -> NoReturn:
    def tell(line: str) -> None:
        os.write(writing, f"{line}\n".encode())

    status = 1
    try:
        signal.alarm(CHILD_SECONDS)
        function(tell)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
