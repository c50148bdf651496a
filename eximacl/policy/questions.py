"""The questions a check may await: a state verb, or what the network knows. Rule: a question is a frozen value.

Awaiting a question yields the question itself; whoever drives the coroutine sends the answer back
(`eximacl.policy.drive`). So the daemon, `eximacl check`, a test and a replay run the very same check.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from eximacl.policy.later import MayWait, then
from eximacl.policy.outcome import Action, Unknown
from eximacl.policy.state import RESERVATION_SECONDS, Block, Settled, Slot, State

A_co = TypeVar("A_co", covariant=True)

# The kinds of records that checks look up (RFC 1035, RFC 3596).
RecordKind = Literal["A", "AAAA", "MX", "NS", "PTR", "TXT"]
# What a look-up found, as texts: addresses; names in lower case without the last dot; "10 mx.example.org" for MX
# ("0 ." for the null MX of RFC 7505). Empty: there is no such name, or no such record.
Records: TypeAlias = tuple[str, ...]
# What a `Lookup` is answered with: one answer for each name that it asks for.
Answered: TypeAlias = tuple[Records | Unknown, ...]
# What stands for a secret in a name that is asked for, wherever the name is shown.
KEY = "{key}"


@dataclass(frozen=True, slots=True)
class Question(Generic[A_co]):
    """A question; `await` it to be sent its answer. Subclasses are frozen values. `kind` names it in the records."""

    kind: ClassVar[str]

    def __await__(self) -> Generator[Question[A_co], A_co, A_co]:
        return (yield self)


@dataclass(frozen=True, slots=True)
class Lookup(Question[tuple[Records | Unknown, ...]]):
    """What does DNS say to each of these (name, kind)? They are asked side by side, in the query's time budget.

    keys: one for each of them, in the place of `{key}` in the name; empty: none has one. A key is for the name servers
    only: no record holds it, and neither do the answers.
    """

    kind = "lookup"

    asked: tuple[tuple[str, RecordKind], ...]
    keys: tuple[str, ...] = field(default=(), repr=False)

    def names(self) -> tuple[tuple[str, RecordKind], ...]:
        """Return what the name servers are asked."""
        if not self.keys:
            return self.asked
        pairs = zip(self.asked, self.keys, strict=True)
        return tuple((name.replace(KEY, key), kind) for (name, kind), key in pairs)

    def without_keys(self, answers: tuple[Records | Unknown, ...]) -> tuple[Records | Unknown, ...]:
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
    """What is wrong with this DNS list (see `check.Probe`)? Empty: nothing is known against it."""

    kind = "listfault"

    zone: str


@dataclass(frozen=True, slots=True)
class ListFaults(Question[dict[str, str]]):
    """Which of these DNS lists is something known against, and what? A record holds a `ListFault` for each of them."""

    kind = "listfaults"

    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StateQuestion(Question[A_co]):
    """A question that a state verb answers."""

    def put(self, state: State, now: float, dry: bool) -> MayWait[A_co]:
        """Ask `state`, and return its answer or an awaitable of it; with `dry`, change nothing. Raises StateError."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ReserveSlot(StateQuestion[Slot | Unknown]):
    """May `holder` have one of `limit` places under `key`?"""

    kind = "reserve"

    key: str
    limit: int
    holder: str

    def put(self, state: State, now: float, dry: bool) -> MayWait[Slot]:
        if dry:
            return state.peek(self.key, self.limit, self.holder, now)
        return state.reserve(self.key, self.limit, self.holder, now, now + RESERVATION_SECONDS)


@dataclass(frozen=True, slots=True)
class CommitSlots(StateQuestion[Settled | Unknown]):
    """The holder's message is accepted: are its places now used for good?"""

    kind = "commit"

    holder: str

    def put(self, state: State, now: float, dry: bool) -> MayWait[Settled]:
        return "committed" if dry else state.commit(self.holder, now)


@dataclass(frozen=True, slots=True)
class ReleaseSlots(StateQuestion[int | Unknown]):
    """The holder's message was not accepted: give its places back."""

    kind = "release"

    holder: str

    def put(self, state: State, now: float, dry: bool) -> MayWait[int]:
        return 0 if dry else state.release(self.holder)


@dataclass(frozen=True, slots=True)
class Count(StateQuestion[int | Unknown]):
    """How many events were there under `key` in the last `window` seconds, with this one, up to `most`?"""

    kind = "count"

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
    """When was `key` first seen? If never: now, and it is known for `seconds`."""

    kind = "firstseen"

    key: str
    seconds: float

    def put(self, state: State, now: float, dry: bool) -> MayWait[float]:
        if dry:
            return then(state.seen(self.key, now), lambda since: now if since is None else since)
        return state.first_seen(self.key, now, now + self.seconds)


@dataclass(frozen=True, slots=True)
class Remember(StateQuestion[bool | Unknown]):
    """Is `key` known? Then let it be known for `seconds` from now."""

    kind = "remember"

    key: str
    seconds: float

    def put(self, state: State, now: float, dry: bool) -> MayWait[bool]:
        if dry:
            return then(state.seen(self.key, now), lambda since: since is not None)
        return state.remember(self.key, now, now + self.seconds)


@dataclass(frozen=True, slots=True)
class MakeBlock(StateQuestion[bool | Unknown]):
    """Let `key` be blocked for `seconds` from now, or longer where it is already. The answer is True."""

    kind = "makeblock"

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


class Ask:
    """What a check asks through: the clock of this query, and one method a question.

    now: seconds since 1970, the same all through a query (in a replay: the recorded time).
    holder: the transaction's id, under which places are reserved.
    clock: only when explaining: a running clock in seconds, to time each check.
    fault: what a check raised that it should not have, for the log.
    reserved: whether a place was reserved for this query. step: the check that asks now, for the records.
    action: what is to be done on its hit; under `observe` nothing that a check does may have consequences.
    again: whether the check has had its say on this mail before, at a stage of its own, and is only heard now: what it
    counts and remembers is read, and not changed.
    observed: the names of the checks that had a hit under `observe` in this query, in order.
    wants_data: whether a check asked to be run again at DATA.
    """

    __slots__ = ("action", "again", "clock", "fault", "holder", "now", "observed", "reserved", "step", "wants_data")

    def __init__(self, now: float, holder: str = "", clock: Callable[[], float] | None = None) -> None:
        self.now = now
        self.holder = holder
        self.clock = clock
        self.reserved = False
        self.wants_data = False
        self.again = False
        self.observed: tuple[str, ...] = ()
        self.step = ""
        self.action: Action = "reject"
        self.fault: BaseException | None = None

    def want_data(self) -> None:
        """Have Exim ask again at DATA about this transaction: for a check that runs at `rcpt` and `data`."""
        self.wants_data = True

    async def look_up(self, name: str, kind: RecordKind, key: str = "") -> Records | Unknown:
        """Look one name up in DNS. key: a secret, in the place of `{key}` in the name."""
        return (await Lookup(((name, kind),), (key,) if key else ()))[0]

    async def look_up_all(
        self, asked: Sequence[tuple[str, RecordKind]], keys: Sequence[str] = ()
    ) -> tuple[Records | Unknown, ...]:
        """Look names up in DNS, all at the same time. The answers are in the order of `asked`.

        keys: one secret for each of them, or empty (see `Lookup`).
        """
        return await Lookup(tuple(asked), tuple(keys) if any(keys) else ()) if asked else ()

    async def reverse_names(self, ip: str) -> Records | Unknown:
        """Return the names that DNS gives to an address, whether or not they lead back to it. `ip` must be one."""
        return await self.look_up(ipaddress.ip_address(ip).reverse_pointer, "PTR")

    async def list_fault(self, zone: str) -> str:
        """Return what is wrong with a DNS list, named as the check's `probes` name it; empty: nothing."""
        return await ListFault(zone)

    async def list_faults(self, zones: Sequence[str]) -> dict[str, str]:
        """Return what is wrong with those of several lists that are at fault; empty: with none of them."""
        return await ListFaults(tuple(zones)) if zones else {}

    async def reserve(self, key: str, limit: int) -> Slot | Unknown:
        """Reserve one of `limit` places under `key` for this transaction (see `State.reserve`)."""
        answer = await ReserveSlot(key, limit, self.holder)
        self.reserved = self.reserved or answer == "reserved"
        return answer

    async def commit(self) -> Settled | Unknown:
        """Use this transaction's places for good (see `State.commit`)."""
        return await CommitSlots(self.holder)

    async def release(self) -> int | Unknown:
        """Give this transaction's places back (see `State.release`)."""
        return await ReleaseSlots(self.holder)

    async def count(self, key: str, window: float, most: int) -> int | Unknown:
        """Note an event, unless it was already; return how many there were in `window` seconds (see `State.count`)."""
        if not self.again:
            return await Count(key, window, most)
        noted = await CountEvents(key, window)
        return noted if isinstance(noted, Unknown) else min(noted, most)

    async def tally(self, key: str, window: float) -> int | Unknown:
        """Return how many events there were in the last `window` seconds (see `State.tally`)."""
        return await CountEvents(key, window)

    async def first_seen(self, key: str, seconds: float) -> float | Unknown:
        """Return when `key` was first seen; if never, now, and it is known for `seconds` (see `State.first_seen`)."""
        return await FirstSeen(key, seconds)

    async def remember(self, key: str, seconds: float) -> bool | Unknown:
        """Return whether `key` is known; if so, it is for `seconds` from now (see `State.remember`)."""
        return await Remember(key, seconds)

    async def block(self, key: str, seconds: float, why: str) -> bool | Unknown:
        """Block `key` for `seconds` from now (see `State.block`)."""
        return await MakeBlock(key, seconds, why)

    async def blocked(self, key: str) -> Block | Unknown | None:
        """Return the block of `key` that stands now, or None (see `State.blocked`)."""
        return await Blocked(key)


AnyQuestion = Question[Any]
