"""Requests that commands put to the running daemon's state, or, where no daemon runs, to the state itself.

The daemon answers a table of `StateRequest` from its own state. A command asks it through its socket (`daemon_source`);
where no daemon runs, the same requests are put to the state (`state_source`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from eximacl.daemon.answers import STATE_SECONDS, within
from eximacl.policy.state import State, StateError
from eximacl.protocol.client import OWNERS, UNREADABLE, DaemonError, Denied, RequestRefused, ask_control
from eximacl.protocol.exim import ProtocolError
from eximacl.state import MemoryState, file_of, is_shared, open_state
from eximacl.state.owner import as_owner

# Of the texts in one answer. Escaped, a character may take seven bytes, and a reply four MiB.
ANSWER_CHARACTERS = 256 * 1024

Values = Mapping[str, str]
# What is done for a request: given the state, the request's values, and the time.
Work = Callable[[State, Values, float], Awaitable[dict[str, Any]]]
# A request's name and its values in, its answer out. Raises StateError, RequestRefused, DaemonError.
Source = Callable[[str, Values], Any]


class StateRequest(NamedTuple):
    """One request. writes: whether it makes something known, for which there must be a state file already."""

    work: Work
    writes: bool = False


def part(answer: Any, name: str, kind: Any) -> Any:
    """Return a part of an answer. Any program may have given that: raises DaemonError where it is not of its type."""
    if not isinstance(answer, dict) or name not in answer or not isinstance(answer[name], kind):
        raise DaemonError(UNREADABLE)
    return answer[name]


def given(values: Values, name: str) -> str:
    """Return a value that a request must have. Raises ProtocolError."""
    if name not in values:
        raise ProtocolError("missing-key", f"do={values.get('do', '')} needs {name}=")
    return values[name]


def daemon_source(socket: Path) -> Source:
    """Return the running daemon. Raises NoDaemon where there is none, else DaemonError."""
    try:
        ask_control(socket, "ping", {})
    except Denied:
        raise Denied(socket, OWNERS) from None

    def ask(request: str, values: Values) -> Any:
        try:
            return ask_control(socket, request, values)
        except RequestRefused as error:
            if error.reason == "state":
                raise StateError(str(error)) from None
            raise

    return ask


def state_source(url: str, requests: Mapping[str, StateRequest]) -> Source:
    """Return the state that an URL names, for when no daemon runs. A file is opened as its directory's owner.

    Raises ValueError for a wrong URL, StateError for a state that only the daemon has. No file is made.
    """
    if not is_shared(url):
        raise StateError(f"state.url is {url}, which only the running daemon has: start it, or set sqlite:PATH")

    path = file_of(url)

    def ask(request: str, values: Values) -> Any:
        asked = requests[request]
        if path is None:
            return asyncio.run(_answer(asked, open_state(url), values))
        with as_owner(path) as is_there:
            if not is_there and asked.writes:
                raise StateError("there is no state file yet: start the daemon once, which creates it")
            return asyncio.run(_answer(asked, open_state(url) if is_there else MemoryState(), values))

    return ask


async def _answer(asked: StateRequest, state: State, values: Values) -> Any:
    try:
        return await within(STATE_SECONDS, asked.work(state, values, time.time()))
    finally:
        await within(STATE_SECONDS, state.close())
