"""The backends of the state verbs. Rule: all of them keep the contract of `verbs.State`."""

from __future__ import annotations

from eximacl.policy.state import State
from eximacl.state.memory import MemoryState
from eximacl.state.sqlite import SqliteState

__all__ = ["MemoryState", "SqliteState", "open_state"]


def open_state(url: str) -> State:
    """Open the backend that `url` names: `memory:`, or `sqlite:` and the path of a file, which is made if missing.

    Raises ValueError for any other URL, and StateError when the file cannot be used; the text names it.
    """
    scheme, colon, path = url.partition(":")
    if scheme == "memory" and colon and not path:
        return MemoryState()
    if scheme == "sqlite" and path and "\0" not in path:
        return SqliteState(path)
    raise ValueError(f"state.url: {url!r} is neither memory: nor sqlite:/path/to/file")
