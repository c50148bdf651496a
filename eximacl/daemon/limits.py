"""What the server allows its clients, and the replies that may take as long as they take."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server allows its clients.

    query_seconds: from connect to newline. Exim writes within a millisecond; five seconds outlast a stopped machine.
    answer_seconds: for an awaited reply. More than every budget for look-ups and state; Exim has given up long before.
    waiting: connections whose query is not complete. Exim's smtp_accept_max is 20 by default, some thousands on a farm.
    waiting_bytes: of incomplete queries, all together; a few dozen messages with headers of 1 MiB.
    pending: queries whose reply is being waited for.
    slow: of these, those with a `Slow` reply. Each may hold a message's headers, and its disk may never answer.
    slow_stop_seconds: how long a stop waits for these; systemd waits for 30 seconds (TimeoutStopSec).
    """

    query_seconds: float = 5.0
    answer_seconds: float = 10.0
    waiting: int = 4096
    waiting_bytes: int = 64 * 1024 * 1024
    pending: int = 4096
    slow: int = 128
    slow_stop_seconds: float = 20.0


class Slow:
    """A reply with no time limit: what it awaits is finished and recorded even if the client has given up.

    A held message is archived by a disk that nobody can stop, and Exim waits for it longer than for any other answer.
    """

    __slots__ = ("reply",)

    def __init__(self, reply: Awaitable[bytes]) -> None:
        self.reply = reply

    def __await__(self) -> Generator[Any, None, bytes]:
        return self.reply.__await__()
