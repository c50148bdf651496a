"""Control requests: what commands ask the running daemon beside queries (docs/protocol.md). A table says which."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from eximacl.policy.later import waits
from eximacl.policy.state import StateError
from eximacl.protocol.exim import ProtocolError, Reply, format_reply, parse_line


class ControlRequest(NamedTuple):
    """What a control request does.

    answer: given the request's values, returns a JSON value (None: nothing but `ok`), a whole Reply, or an awaitable
    of either. Raises ProtocolError for wrong values, StateError where the state fails. everyone: whether anyone who
    may connect may ask; else only root and the daemon's own user.
    """

    answer: Callable[[Mapping[str, str]], Any]
    everyone: bool = False


class Control:
    """Answers control requests by a table; `refuse` makes the reply to one that is refused."""

    def __init__(self, requests: Mapping[str, ControlRequest], refuse: Callable[[ProtocolError], bytes]) -> None:
        self._requests = requests
        self._refuse = refuse

    def handle(self, line: bytes, uid: int) -> bytes | Awaitable[bytes]:
        """Return the reply to a request by this user, or an awaitable of it."""
        try:
            answer = self._answer(line, uid)
        except (ProtocolError, StateError) as error:
            return self._failed(error)
        return self._later(answer) if waits(answer) else _reply(answer)

    def _answer(self, line: bytes, uid: int) -> Any:
        _, values = parse_line(line)
        request = self._requests.get(values.get("do", ""))
        if request is None:
            raise ProtocolError("control", f"do= is one of {', '.join(self._requests)}")
        if not request.everyone and uid not in (0, os.getuid()):
            raise ProtocolError("permission", "only root and the daemon's own user may ask that")
        return request.answer(values)

    async def _later(self, waiting: Awaitable[Any]) -> bytes:
        try:
            return _reply(await waiting)
        except (ProtocolError, StateError) as error:
            return self._failed(error)

    def _failed(self, error: ProtocolError | StateError) -> bytes:
        return self._refuse(error if isinstance(error, ProtocolError) else ProtocolError("state", str(error)))


def _reply(answer: Any) -> bytes:
    if isinstance(answer, Reply):
        return format_reply(answer)
    return format_reply(Reply("ok", extra={} if answer is None else {"answer": json.dumps(answer)}))
