"""Answering the questions of one query from the state, the network and the archive, and noting each for the records.

A source that fails gives `Unknown`, never an exception: whether that matters is the check's `on_unknown`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from eximacl.policy.later import MayWait, settled
from eximacl.policy.outcome import Unknown
from eximacl.policy.query import Query
from eximacl.policy.questions import (
    Answered,
    AnyRequest,
    ArchiveMessage,
    Ask,
    AskedQuestion,
    ListFault,
    ListFaults,
    Lookup,
    RecordKind,
    StateQuestion,
)
from eximacl.policy.state import State, StateError

T = TypeVar("T")

# Archives the message of a held DATA query, in the seconds since 1970 that are given (`archive.hold.Archiver.archive`).
ArchiveCall: TypeAlias = Callable[[Query, float], Awaitable["tuple[str, ...] | Unknown"]]

# For all of a query's state verbs that have to be waited for. A server in the same building answers within some
# milliseconds; with this and the two seconds of DNS, a query whose state is dead still ends well before Exim's five.
STATE_SECONDS = 1.0
STATE_LATE = f"the state did not answer within {STATE_SECONDS:g} s"


class StateLate(StateError):
    """The state did not answer in time; whether it changed anything is not known."""


class Network(Protocol):
    """What the network knows (`eximacl.dns.list_health`). None of these raises."""

    def deadline(self) -> float:
        """Return by when a query that asks now for the first time must have all its answers."""

    def look_up(self, asked: Sequence[tuple[str, RecordKind]], until: float) -> Answered | Awaitable[Answered]:
        """Return an answer for each of `asked`, or an awaitable of them where that takes waiting."""

    def list_fault(self, zone: str) -> str:
        """Return what is wrong with a DNS list; empty: nothing."""


class NoNetwork:
    """A network that knows nothing."""

    def deadline(self) -> float:
        """See `Network.deadline`."""
        return 0.0

    def look_up(self, asked: Sequence[tuple[str, RecordKind]], until: float) -> Answered:
        """See `Network.look_up`."""
        return tuple(Unknown("there is no DNS here") for _ in asked)

    def list_fault(self, zone: str) -> str:
        """See `Network.list_fault`."""
        return ""


def no_complaint(_problem: str) -> None:
    """Ignore that the state could not answer."""


async def no_archive(_query: Query, _now: float) -> Unknown:
    """An archive that takes nothing."""
    return Unknown("there is no archive here")


class Answers:
    """Answers the questions of one query; `asked` grows with each. complain: is told why the state did not answer."""

    __slots__ = (
        "_archive",
        "_complain",
        "_network",
        "_query",
        "_state",
        "_state_dead",
        "_state_seconds",
        "_until",
        "asked",
    )

    def __init__(
        self,
        state: State,
        network: Network,
        query: Query,
        archive: ArchiveCall = no_archive,
        complain: Callable[[str], None] = no_complaint,
    ) -> None:
        self._complain = complain
        self._state = state
        self._network = network
        self._query = query
        self._archive = archive
        self._until: float | None = None
        # What is left for the state. The time that DNS takes in between is not the state's.
        self._state_seconds = STATE_SECONDS
        self._state_dead = False
        self.asked: list[AskedQuestion] = []

    def __call__(self, request: AnyRequest) -> Any:
        """Return the answer, or an awaitable of it. Raises TypeError for a kind of question that has no source."""
        question, ask = request
        if isinstance(question, StateQuestion):
            answer = self._ask_state(question, ask)
            if hasattr(answer, "__await__"):  # as `later.waits` tells, without its call
                answer = self._wait_for_state(answer)
        elif isinstance(question, Lookup):
            answer = self._look_up(question)
        elif isinstance(question, ListFault):
            answer = self._network.list_fault(question.zone)
            if not answer:  # asked about every list in every query, and hardly ever worth a record
                return answer
        elif isinstance(question, ListFaults):
            return self._list_faults(question.zones, ask)
        elif isinstance(question, ArchiveMessage):
            answer = self._archive(question.query, self._query.now)
        else:
            raise TypeError(f"no source answers {type(question).__name__}")
        if hasattr(answer, "__await__"):
            return self._later(request, answer)
        self.asked.append(AskedQuestion(ask.check, question, answer))
        return answer

    def _ask_state(self, question: StateQuestion[Any], ask: Ask) -> Any:
        if self._state_dead:
            return Unknown(STATE_LATE)
        try:
            return question.put(self._state, self._query.now, self._query.dry or ask.replaying_at_data)
        except StateError as error:
            return self._no_answer(str(error))

    async def _wait_for_state(self, waiting: Awaitable[Any]) -> Any:
        """Wait within the query's budget. Once that is spent, the query asks the state nothing more."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await within(self._state_seconds, waiting)
        except StateLate:
            self._state_dead = True
            return self._no_answer(STATE_LATE)
        except StateError as error:
            return self._no_answer(str(error))
        finally:
            self._state_seconds -= loop.time() - began

    def _no_answer(self, problem: str) -> Unknown:
        self._complain(problem)
        return Unknown(problem)

    def _list_faults(self, zones: tuple[str, ...], ask: Ask) -> dict[str, str]:
        faults = {zone: fault for zone in zones if (fault := self._network.list_fault(zone))}
        self.asked += [AskedQuestion(ask.check, ListFault(zone), fault) for zone, fault in faults.items()]
        return faults

    def _look_up(self, question: Lookup) -> Answered | Awaitable[Answered]:
        """All look-ups of one query share one budget, which begins with the first."""
        if self._until is None:
            self._until = self._network.deadline()
        answer = self._network.look_up(question.names(), self._until)
        if not question.keys:
            return answer
        return question.without_keys(answer) if isinstance(answer, tuple) else _without_keys(question, answer)

    async def _later(self, request: AnyRequest, waiting: Awaitable[Any]) -> Any:
        question, ask = request
        answer = await waiting
        self.asked.append(AskedQuestion(ask.check, question, answer))
        return answer


async def within(seconds: float, answer: MayWait[T]) -> T:
    """Wait for a state's answer. Raises StateLate where it is not there in time, and what the verb raises."""
    try:
        async with asyncio.timeout(seconds):
            return await settled(answer)
    except TimeoutError:
        raise StateLate(f"the state did not answer within {seconds:g} s") from None


async def _without_keys(question: Lookup, waiting: Awaitable[Answered]) -> Answered:
    return question.without_keys(await waiting)
