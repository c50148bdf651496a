"""The backends of the state verbs, and the URLs that name them. All keep the contract of `eximacl.policy.state.State`.

To add one, write a module that has a `Backend`, add a line to BACKENDS, and derive its tests from
`tests.state.contract_all.Contract`. `tests.state.toy` is a small one that has to be waited for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from eximacl.policy.state import ROWS_MAX, Backend, State
from eximacl.state import memory, sqlite
from eximacl.state.memory import MemoryState
from eximacl.state.sqlite import SqliteState
from eximacl.state.sqlite.file import damage_of

__all__ = [
    "BACKENDS",
    "Backend",
    "MemoryState",
    "SqliteState",
    "absolute_url",
    "damage_of",
    "file_of",
    "forms",
    "is_shared",
    "open_state",
]

# By the scheme of their URLs.
BACKENDS = {
    "sqlite": sqlite.BACKEND,
    "memory": memory.BACKEND,
}


def open_state(url: str, rows: int = ROWS_MAX) -> State:
    """Open the state that an URL names.

    rows: how many each check may have in a table. Raises ValueError for a wrong URL, StateError where it cannot be
    opened.
    """
    backend, rest = _parse(url)
    return backend.open(rest, rows)


def file_of(url: str) -> Path | None:
    """Return the file that a state is kept in, or None where it is not kept in a file. Raises ValueError."""
    backend, rest = _parse(url)
    return Path(rest) if backend.is_file else None


def is_shared(url: str) -> bool:
    """Whether another process that opens the URL sees the same state. Raises ValueError."""
    return _parse(url)[0].is_shared


def absolute_url(url: str, path: Callable[[str], Path]) -> str:
    """Return an URL whose file, if it names one, is what `path` makes of it. Raises ValueError."""
    backend, rest = _parse(url)
    return f"{url.partition(':')[0]}:{path(rest)}" if backend.is_file else url


def forms() -> str:
    """Return how an URL is written, for people."""
    return " or ".join(backend.form for backend in BACKENDS.values())


def _parse(url: str) -> tuple[Backend, str]:
    scheme, colon, rest = url.partition(":")
    backend = BACKENDS.get(scheme)
    if backend is None or not colon or not re.fullmatch(backend.rest, rest, re.DOTALL):
        raise ValueError(f"expected {forms()}, got {url!r}")
    return backend, rest
