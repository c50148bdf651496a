"""Running a command of the command line in this process, as a shell sees it: status, stdout, stderr."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import NamedTuple

from eximacl.cli import main


class Done(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


def eximacl(*args: object, stdin: bytes = b"") -> Done:
    """Run `eximacl ARGS` with `stdin` as its input."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _stdin(stdin):
        try:
            main([str(arg) for arg in args])
        except SystemExit as end:
            status = end.code
        else:
            raise AssertionError("main did not exit")
    assert isinstance(status, int)
    return Done(status, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _stdin(data: bytes) -> Iterator[None]:
    old = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(data))
    try:
        yield
    finally:
        sys.stdin = old
