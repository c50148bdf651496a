"""Look-ups under way. Rule: one `Flight` a question, however many wait for it; one `Waiting` a caller, however many
questions it has; and no task for either."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from eximacl.dns.cache import Answer, Key
from eximacl.dns.servers import Server, Zone
from eximacl.policy.outcome import Unknown


class Asked(Protocol):
    """Where a question was sent."""

    def drop(self) -> None:
        """Send no more there; answers still count. Twice is harmless."""

    def forget(self, number: int) -> None:
        """Take no more answer with this id."""


class Waiting:
    """A caller who waits for the answers that are still None. only: it wants one answer, not a tuple of them."""

    __slots__ = ("_asked", "_only", "answers", "future", "missing")

    def __init__(self, asked: Sequence[Key], answers: list[Answer | None], only: bool) -> None:
        self._asked = asked
        self._only = only
        self.answers = answers
        self.missing = 0
        self.future: asyncio.Future[Answer | tuple[Answer, ...]] | None = None

    def tell(self, place: int, answer: Answer) -> None:
        """Take one answer; the caller goes on with the last."""
        if self.answers[place] is not None:
            return
        self.answers[place] = answer
        self.missing -= 1
        if not self.missing and self.future is not None and not self.future.done():
            self.future.set_result(self.result())

    def expire(self) -> None:
        """The caller's time is over: what is missing is unknown."""
        for place, answer in enumerate(self.answers):
            if answer is None:
                name, kind = self._asked[place]
                self.tell(place, Unknown(f"DNS: no answer about {kind} of {name!a} within the query's time"))

    def result(self) -> Answer | tuple[Answer, ...]:
        """Return the answers, all of which are there."""
        answers = tuple(answer for answer in self.answers if answer is not None)
        return answers[0] if self._only else answers


class Flight:
    """A question on its way.

    key: as it was asked. question: its wire form, or that of the alias followed now. probe: the server it tests.
    tries: ids by channel under which an answer may still come. number: how many tries there were; what is due for an
    earlier one is stale. failures: answers that did not tell. end: when it is given up.
    """

    __slots__ = (
        "aliases", "answer", "edns", "end", "failures", "key", "number", "probe", "question", "seconds", "server",
        "servers", "stream", "tries", "waiting", "zone",
    )  # fmt: skip

    def __init__(self, key: Key, question: bytes, servers: Sequence[Server], zone: Zone | None, end: float) -> None:
        self.key = key
        self.question = question
        self.servers = servers
        self.zone = zone
        self.end = end
        self.server = servers[0]
        self.probe: Server | None = None
        self.edns = True
        self.number = 0
        self.failures = 0
        self.aliases = 0
        self.seconds = 0
        self.answer: Answer | None = None
        self.tries: list[tuple[Asked, int]] = []
        self.stream: asyncio.Task[None] | None = None
        self.waiting: list[tuple[Waiting, int]] = []

    def __str__(self) -> str:
        return f"{self.key[1]} of {self.key[0]}"

    def forget_tries(self) -> None:
        """Take no more answers to what was sent."""
        tries, self.tries = self.tries, []
        for channel, number in tries:
            channel.forget(number)
        if self.stream is not None:
            self.stream.cancel()
            self.stream = None

    def land(self, answer: Answer) -> None:
        """Tell all who wait."""
        self.answer = answer
        self.forget_tries()
        waiting, self.waiting = self.waiting, []
        for caller, place in waiting:
            caller.tell(place, answer)
