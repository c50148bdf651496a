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
    Pause,
    RecordKind,
    StateQuestion,
)
from eximacl.policy.state import State, StateError

T = TypeVar("T")

# Archives the message of a held DATA query, in the seconds since 1970 that are given (`archive.hold.Archiver.archive`).
ArchiveCall: TypeAlias = Callable[[Query, float], Awaitable["tuple[str, ...] | Unknown"]]

# For all of a query's state verbs that have to be waited for. A server in the same building answers within some
# milliseconds; with this and the three seconds of DNS, a query whose state is dead still ends before Exim's five.
STATE_SECONDS = 1.0
STATE_LATE = f"the state did not answer within {STATE_SECONDS:g} s"
# What is looked up outside the policy's zones was chosen by the client, whose name servers may be silent on purpose.
# Such look-ups get this part of a query's time for DNS. The rest is for the lists that the policy names.
CLIENTS_SHARE = 0.5
# Names that one query may look up: the checks that come with eximacl need 30 for names that the client chose.
CLIENTS_NAMES_MAX = 64
# Fifty lists with ten names each; an admin with more should see it in the trace.
POLICY_NAMES_MAX = 500
TOO_MANY_NAMES = Unknown("the query has looked up too many names")


class StateLate(StateError):
    """The state did not answer in time; whether it changed anything is not known."""


class Network(Protocol):
    """What the network knows (`eximacl.dns.list_health`). None of these raises."""

    @property
    def budget_seconds(self) -> float:
        """For how long one query may wait for look-ups, all together."""

    def look_up(self, asked: Sequence[tuple[str, RecordKind]], seconds: float) -> Answered | Awaitable[Answered]:
        """Return an answer for each of `asked`, or an awaitable that ends within `seconds`."""

    def list_fault(self, zone: str) -> str:
        """Return what is wrong with a DNS list; empty: nothing."""


class NoNetwork:
    """A network that knows nothing."""

    budget_seconds = 0.0

    def look_up(self, asked: Sequence[tuple[str, RecordKind]], seconds: float) -> Answered:
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
        "_clients_left",
        "_clients_seconds",
        "_complain",
        "_dns_seconds",
        "_network",
        "_policy_left",
        "_query",
        "_state",
        "_state_dead",
        "_state_seconds",
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
        # What is left for DNS, in seconds and in names, and of that for names which the client chose.
        self._dns_seconds = network.budget_seconds
        self._clients_seconds = self._dns_seconds * CLIENTS_SHARE
        self._clients_left, self._policy_left = CLIENTS_NAMES_MAX, POLICY_NAMES_MAX
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
        elif isinstance(question, Pause):
            return asyncio.sleep(0)
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
        """Look up within what the query has left. What is known already costs no time."""
        seconds = self._dns_seconds
        if question.of_policy:
            self._policy_left = left = self._policy_left - len(question.asked)
        else:
            self._clients_left = left = self._clients_left - len(question.asked)
            seconds = min(seconds, self._clients_seconds)
        if left < 0:
            return (TOO_MANY_NAMES,) * len(question.asked)
        answer = self._network.look_up(question.names(), seconds)
        if isinstance(answer, tuple):
            return question.without_keys(answer) if question.keys else answer
        return self._wait_for_dns(question, answer)

    async def _wait_for_dns(self, question: Lookup, waiting: Awaitable[Answered]) -> Answered:
        """Wait, and take the time off what the query has left. Zones of the policy never spend the client's share."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await waiting
        spent = loop.time() - began
        self._dns_seconds -= spent
        if not question.of_policy:
            self._clients_seconds -= spent
        return question.without_keys(answer) if question.keys else answer

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
