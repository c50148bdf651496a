"""The questions that a check may await: a state verb, or what the network knows. A question is a frozen value.

A check asks through its `Ask`. Awaiting what that returns yields a `Request`, the question with who asks it; whoever
drives the coroutine sends the answer back (`eximacl.policy.drive`). So the daemon, `eximacl check` and a test run the
very same check.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import re
from collections.abc import Awaitable, Generator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from eximacl.policy.later import MayWait, then
from eximacl.policy.outcome import Action, Unknown
from eximacl.policy.places import NO_TERMS, KnownAddress, Place, Terms
from eximacl.policy.query import Query
from eximacl.policy.state import RESERVATION_SECONDS, Block, Settled, State

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)

# The kinds of records that checks look up (RFC 1035, RFC 3596).
RecordKind = Literal["A", "AAAA", "MX", "NS", "PTR", "TXT"]
# What a look-up found, as texts: addresses; names in lower case without the last dot; "10 mx.example.org" for MX
# ("0 ." for the null MX of RFC 7505). Empty: there is no such name, or no such record.
Records: TypeAlias = tuple[str, ...]
# What a `Lookup` is answered with: one answer for each name that it asks for.
Answered: TypeAlias = tuple[Records | Unknown, ...]
# Stands for a secret in a name that is looked up, wherever the name is shown.
KEY = "{key}"


@dataclass(frozen=True, slots=True)
class Question(Generic[A_co]):
    """A question, whose answer is an A. Subclasses are frozen values. `kind` names it in the records."""

    kind: ClassVar[str]


class Request(NamedTuple, Generic[A_co]):
    """A question with who asks it. Awaiting it yields it and returns the answer that is sent back."""

    question: Question[A_co]
    ask: Ask

    def __await__(self) -> Generator[Request[A_co], A_co, A_co]:
        return (yield self)


@dataclass(frozen=True, slots=True)
class Lookup(Question[Answered]):
    """What does DNS say about each of these (name, kind)? They are looked up side by side, in the query's time budget.

    of_policy: the names are in zones that the policy names, such as DNS lists. Part of the budget is for these only:
    a client who chose the other names may have chosen name servers that never answer.

    keys: a secret for each of them, in the place of `{key}` in the name; empty: none has one. Only the name servers
    see a key: it stands in no record and in no answer.
    """

    kind = "lookup"

    asked: tuple[tuple[str, RecordKind], ...]
    keys: tuple[str, ...] = field(default=(), repr=False)
    of_policy: bool = field(default=False, repr=False, compare=False)

    def names(self) -> tuple[tuple[str, RecordKind], ...]:
        """Return what the name servers are asked."""
        if not self.keys:
            return self.asked
        pairs = zip(self.asked, self.keys, strict=True)
        return tuple((name.replace(KEY, key), kind) for (name, kind), key in pairs)

    def without_keys(self, answers: Answered) -> Answered:
        """Return the answers without the keys, which a list may repeat in its texts, and an error in the name."""
        return tuple(_without(key, answer) for key, answer in zip(self.keys, answers, strict=True))


def _without(key: str, answer: Records | Unknown) -> Records | Unknown:
    if not key:
        return answer
    written = re.compile(re.escape(key), re.IGNORECASE)
    if isinstance(answer, Unknown):
        return Unknown(written.sub(KEY, answer.detail))
    return tuple(written.sub(KEY, text) for text in answer)


@dataclass(frozen=True, slots=True)
class ListFault(Question[str]):
    """What is wrong with this DNS list, named as its `ListProbe` names it? Empty: nothing."""

    kind = "listfault"

    zone: str


@dataclass(frozen=True, slots=True)
class ListFaults(Question[dict[str, str]]):
    """Which of these DNS lists are at fault, and why? The records hold a `ListFault` for each of those."""

    kind = "listfaults"

    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArchiveMessage(Question["tuple[str, ...] | Unknown"]):
    """Archive the message of this held DATA query. The answer: its files' names, or why there are none.

    The query, with all of the message's headers, is in the record already.
    """

    kind = "archive"

    query: Query = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pause(Question[None]):
    """Let other queries have their turn. It is in no record."""

    kind = "pause"


@dataclass(frozen=True, slots=True)
class StateQuestion(Question[A_co]):
    """A question that a state verb answers. changes: whether the answer may come with a change of the state."""

    changes: ClassVar[bool] = False

    def put(self, state: State, now: float, dry: bool) -> MayWait[A_co]:
        """Ask `state`, and return its answer or an awaitable of it; with `dry`, change nothing. Raises StateError."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ReserveSlot(StateQuestion[Place | Unknown]):
    """May `holder` have one of `limit` slots under `key`?"""

    kind = "reserve"
    changes = True

    key: str
    limit: int
    holder: str
    terms: Terms = field(default=NO_TERMS, repr=False)

    def put(self, state: State, now: float, dry: bool) -> MayWait[Place]:
        if dry:
            return state.peek(self.key, self.limit, self.holder, now, self.terms)
        return state.reserve(self.key, self.limit, self.holder, now, now + RESERVATION_SECONDS, self.terms)


@dataclass(frozen=True, slots=True)
class PeekSlot(StateQuestion[Place | Unknown]):
    """Would `holder` get one of `limit` slots under `key` now? Nothing is changed."""

    kind = "peek"

    key: str
    limit: int
    holder: str
    terms: Terms = field(default=NO_TERMS, repr=False)

    def put(self, state: State, now: float, dry: bool) -> MayWait[Place]:
        return state.peek(self.key, self.limit, self.holder, now, self.terms)


@dataclass(frozen=True, slots=True)
class Known(StateQuestion["KnownAddress | Unknown | None"]):
    """What is known of a counted or dated address?"""

    kind = "known"

    key: str

    def put(self, state: State, now: float, dry: bool) -> MayWait[KnownAddress | None]:
        return state.known(self.key, now)


@dataclass(frozen=True, slots=True)
class CommitSlots(StateQuestion[Settled | Unknown]):
    """The holder's message is accepted: are its slots now used for good?"""

    kind = "commit"
    changes = True

    holder: str

    def put(self, state: State, now: float, dry: bool) -> MayWait[Settled]:
        return "committed" if dry else state.commit(self.holder, now)


@dataclass(frozen=True, slots=True)
class ReleaseSlots(StateQuestion[int | Unknown]):
    """The holder's message was not accepted: give its slots back."""

    kind = "release"
    changes = True

    holder: str

    def put(self, state: State, now: float, dry: bool) -> MayWait[int]:
        return 0 if dry else state.release(self.holder)


@dataclass(frozen=True, slots=True)
class Count(StateQuestion[int | Unknown]):
    """How many events were there under `key` in the last `window` seconds, with this one, up to `most`?"""

    kind = "count"
    changes = True

    key: str
    window: float
    most: int

    def put(self, state: State, now: float, dry: bool) -> MayWait[int]:
        if dry:
            return then(state.tally(self.key, self.window, now), lambda noted: min(self.most, noted + 1))
        return state.count(self.key, self.window, self.most, now)


@dataclass(frozen=True, slots=True)
class CountEvents(StateQuestion[int | Unknown]):
    """How many events were there under `key` in the last `window` seconds?"""

    kind = "tally"

    key: str
    window: float

    def put(self, state: State, now: float, dry: bool) -> MayWait[int]:
        return state.tally(self.key, self.window, now)


@dataclass(frozen=True, slots=True)
class FirstSeen(StateQuestion[float | Unknown]):
    """When was `key` first seen? If never: now, and it is known for `seconds`; `evict`: see `State.first_seen`."""

    kind = "firstseen"
    changes = True

    key: str
    seconds: float
    evict: bool = False

    def put(self, state: State, now: float, dry: bool) -> MayWait[float]:
        if dry:
            return then(state.seen(self.key, now), lambda since: now if since is None else since)
        return state.first_seen(self.key, now, now + self.seconds, self.evict)


@dataclass(frozen=True, slots=True)
class WhenSeen(StateQuestion["float | Unknown | None"]):
    """When was `key` first seen? None: never."""

    kind = "seen"

    key: str

    def put(self, state: State, now: float, dry: bool) -> MayWait[float | None]:
        return state.seen(self.key, now)


@dataclass(frozen=True, slots=True)
class Remember(StateQuestion[bool | Unknown]):
    """Is `key` known? If so, it is known for `seconds` from now."""

    kind = "remember"
    changes = True

    key: str
    seconds: float

    def put(self, state: State, now: float, dry: bool) -> MayWait[bool]:
        if dry:
            return then(state.seen(self.key, now), lambda since: since is not None)
        return state.remember(self.key, now, now + self.seconds)


@dataclass(frozen=True, slots=True)
class MakeBlock(StateQuestion[bool | Unknown]):
    """Block `key` for `seconds` from now, or longer where it is blocked already. The answer is True."""

    kind = "makeblock"
    changes = True

    key: str
    seconds: float
    why: str

    def put(self, state: State, now: float, dry: bool) -> MayWait[bool]:
        if dry:
            return True
        return then(state.block(self.key, now, now + self.seconds, self.why), lambda _: True)


@dataclass(frozen=True, slots=True)
class Blocked(StateQuestion["Block | Unknown | None"]):
    """Is `key` blocked now?"""

    kind = "blocked"

    key: str

    def put(self, state: State, now: float, dry: bool) -> MayWait[Block | None]:
        return state.blocked(self.key, now)


class Ask(NamedTuple):
    """What a check asks through: one method a question. There is one for each check at each stage of a policy.

    check: who asks, for the records. action: what is done on its hit; under `observe` nothing that it does may have
    consequences. replaying_at_data: the check has judged this recipient before, at a stage of its own, and runs at DATA
    only because another check listens to it: what it counts and remembers is then read, and not changed. observed: the
    checks that had a hit under `observe` before this one, in order (see `listens_to` of `Check`).
    """

    check: str
    action: Action = "reject"
    replaying_at_data: bool = False
    observed: tuple[str, ...] = ()

    def _request(self, question: Question[A]) -> Request[A]:
        return Request(question, self)

    async def look_up(
        self, name: str, kind: RecordKind, key: str = "", *, of_policy: bool = False
    ) -> Records | Unknown:
        """Look one name up in DNS. key: a secret, in the place of `{key}` in the name; of_policy: see `Lookup`."""
        return (await self._request(Lookup(((name, kind),), (key,) if key else (), of_policy)))[0]

    async def look_up_all(
        self, asked: Sequence[tuple[str, RecordKind]], keys: Sequence[str] = (), *, of_policy: bool = False
    ) -> Answered:
        """Look names up in DNS, all at the same time. The answers are in the order of `asked`.

        keys: one secret for each of them, or empty; of_policy: see `Lookup`.
        """
        if not asked:
            return ()
        return await self._request(Lookup(tuple(asked), tuple(keys) if any(keys) else (), of_policy))

    async def reverse_names(self, ip: str) -> Records | Unknown:
        """Return the names that DNS gives for an address, confirmed or not. `ip` must be an address."""
        return await self.look_up(ipaddress.ip_address(ip).reverse_pointer, "PTR")

    def list_fault(self, zone: str) -> Awaitable[str]:
        """Return what is wrong with a DNS list, named as the check's `probes` name it; empty: nothing."""
        return self._request(ListFault(zone))

    async def list_faults(self, zones: Sequence[str]) -> dict[str, str]:
        """Return which of several DNS lists are at fault, and why; empty: none is."""
        return await self._request(ListFaults(tuple(zones))) if zones else {}

    def count_event(self, key: str, window: float, most: int) -> Awaitable[int | Unknown]:
        """Note an event; return how many there were in the last `window` seconds, with it (see `State.count`).

        Where the check is replaying at DATA, the event was noted before.
        """
        if self.replaying_at_data:
            return self._counted(key, window, most)
        return self._request(Count(key, window, most))

    async def _counted(self, key: str, window: float, most: int) -> int | Unknown:
        noted = await self._request(CountEvents(key, window))
        return noted if isinstance(noted, Unknown) else min(noted, most)

    def count_events(self, key: str, window: float) -> Awaitable[int | Unknown]:
        """Return how many events there were in the last `window` seconds (see `State.tally`)."""
        return self._request(CountEvents(key, window))

    def first_seen(self, key: str, seconds: float, *, evict: bool = False) -> Awaitable[float | Unknown]:
        """Return when `key` was first seen; if never, now, and it is known for `seconds` (see `State.first_seen`)."""
        return self._request(FirstSeen(key, seconds, evict))

    def seen(self, key: str) -> Awaitable[float | Unknown | None]:
        """Return when `key` was first seen, or None, and change nothing (see `State.seen`)."""
        return self._request(WhenSeen(key))

    def remember(self, key: str, seconds: float) -> Awaitable[bool | Unknown]:
        """Return whether `key` is known; if so, it is for `seconds` from now (see `State.remember`)."""
        return self._request(Remember(key, seconds))

    def block(self, key: str, seconds: float, why: str) -> Awaitable[bool | Unknown]:
        """Block `key` for `seconds` from now (see `State.block`)."""
        return self._request(MakeBlock(key, seconds, why))

    def blocked(self, key: str) -> Awaitable[Block | Unknown | None]:
        """Return the block of `key` that stands now, or None (see `State.blocked`)."""
        return self._request(Blocked(key))

    def known(self, key: str) -> Awaitable[KnownAddress | Unknown | None]:
        """Return what is known of a counted or dated address, or None (see `State.known`)."""
        return self._request(Known(key))


AnyQuestion = Question[Any]
AnyRequest = Request[Any]


class AskedQuestion(NamedTuple):
    """One question with its answer. `check` is who asked."""

    check: str
    question: AnyQuestion
    answer: Any

    def as_list(self) -> list[Any]:
        """Return `[check, kind, fields…, answer]`, of plain values only."""
        check, question, answer = self
        kind: Any = type(question)
        fields = [getattr(question, name) for name in _recorded(kind)]
        return [check, question.kind, *fields, _plain(answer)]


_OF_STATE: tuple[type[StateQuestion[Any]], ...] = (
    ReserveSlot, PeekSlot, Known, CommitSlots, ReleaseSlots, Count, CountEvents, FirstSeen, WhenSeen, Remember,
    MakeBlock, Blocked,
)  # fmt: skip
QUESTIONS_OF_STATE = {one.kind: one for one in _OF_STATE}


def field_names(kind: str) -> tuple[str, ...]:
    """Return what the fields of a state's question stand for, as `AskedQuestion.as_list` has them; empty: not known."""
    asked: Any = QUESTIONS_OF_STATE.get(kind)
    return _recorded(asked) if asked else ()


@cache
def _recorded(kind: Any) -> tuple[str, ...]:
    """Return the names of the fields of a question's class, without what `repr` leaves out: secrets, whole queries."""
    return tuple(field.name for field in dataclasses.fields(kind) if field.repr)


def _plain(answer: Any) -> Any:
    """Return an answer as values that JSON and msgpack can hold."""
    if isinstance(answer, Unknown):
        return {"unknown": answer.detail}
    if isinstance(answer, Block):
        return {**answer._asdict(), "until": None if math.isinf(answer.until) else answer.until}
    if isinstance(answer, Place):
        return f"{answer.slot} {answer.number} of {answer.limit}"
    if isinstance(answer, KnownAddress):
        return answer._asdict()
    if isinstance(answer, tuple):
        return [_plain(one) for one in answer]
    return answer
