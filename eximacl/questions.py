"""The questions a check may await, and the state verbs behind them. Rule: a question is a frozen value.

Awaiting a question yields the question itself; whoever drives the coroutine sends the answer back
(`eximacl.drive`). So the daemon, `eximacl check`, a test and a replay run the very same check.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from eximacl.model import Unknown

A_co = TypeVar("A_co", covariant=True)

# reserved: the holder has a place; pending: all places are taken, some only reserved; full: all are used for good.
Place = Literal["reserved", "pending", "full"]
# committed: each of the holder's places is used for good; lost: it has none (never had, released, or expired).
Settled = Literal["committed", "lost"]

# Long enough for a large message on a slow line, short enough that a lost `end` blocks a last place
# only for a while.
RESERVATION_SECONDS = 3600.0
# A reservation that ends later than this was made by a clock that has been set back since: it counts no more. The ten
# minutes are for queries that took their time earlier and waited, and for clocks that are corrected by a little.
FARTHEST_SECONDS = RESERVATION_SECONDS + 600.0
# An expired reservation is remembered for this long, so that its transaction is told "lost" and not a part of
# the truth. No SMTP transaction lasts a week.
LOST_SECONDS = 7 * 86400.0
# One call of prune deletes at most so many rows: some milliseconds, for which a query may have to wait.
PRUNE_ROWS = 1000


class State(Protocol):
    """The atomic verbs (DESIGN 6). Each is one transaction: all of it happens, or nothing.

    Times are seconds since 1970. A backend that cannot answer raises StateError and has changed nothing.
    However wrong the clock is, and however it is set: a committed place stays, and no more are used than there are.
    """

    def reserve(self, key: str, limit: int, holder: str, now: float, until: float) -> Place:
        """Take one of `limit` places under `key` for `holder` until `until`; a second call keeps the first place.

        A reservation past its `until`, or with one after now + FARTHEST_SECONDS, counts no more. Whoever is given
        a place ends such reservations of that key for good, so that none comes back with the clock.
        A place of the holder's that is committed already answers "reserved": the same transaction asked again.
        """

    def peek(self, key: str, limit: int, holder: str, now: float) -> Place:
        """Answer as `reserve` would, and change nothing."""

    def commit(self, holder: str, now: float) -> Settled:
        """Make every live reservation of `holder` permanent. Asked again, it answers "committed" again.

        "lost" also when only one of several reservations has expired; then nothing is committed.
        """

    def release(self, holder: str) -> int:
        """Give back every place of `holder`, committed ones too, and return how many there were."""

    def places(self, key: str, now: float) -> tuple[int, int]:
        """Return how many places under `key` are committed, and how many are reserved."""

    def prune(self, now: float) -> int:
        """Delete reservations that ended LOST_SECONDS ago or earlier, at most PRUNE_ROWS, and return how many.

        Never a committed place: a clock that is wrong for a minute must not give used places away.
        """

    def close(self) -> None:
        """Release the backend's resources; calling it twice is harmless."""


class StateError(Exception):
    """The state backend could not answer (dead, locked, full). Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Question(Generic[A_co]):
    """A question; `await` it to be sent its answer. Subclasses are frozen values."""

    def __await__(self) -> Generator[Question[A_co], A_co, A_co]:
        return (yield self)


@dataclass(frozen=True, slots=True)
class StateQuestion(Question[A_co]):
    """A question that a state verb answers."""

    def put(self, state: State, now: float, dry: bool) -> A_co:
        """Ask `state`; with `dry`, answer without changing anything."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Reserve(StateQuestion[Place | Unknown]):
    """May `holder` have one of `limit` places under `key`?"""

    key: str
    limit: int
    holder: str

    def put(self, state: State, now: float, dry: bool) -> Place:
        if dry:
            return state.peek(self.key, self.limit, self.holder, now)
        return state.reserve(self.key, self.limit, self.holder, now, now + RESERVATION_SECONDS)


@dataclass(frozen=True, slots=True)
class Commit(StateQuestion[Settled | Unknown]):
    """The holder's message is accepted: are its places now used for good?"""

    holder: str

    def put(self, state: State, now: float, dry: bool) -> Settled:
        return "committed" if dry else state.commit(self.holder, now)


@dataclass(frozen=True, slots=True)
class Release(StateQuestion[int | Unknown]):
    """The holder's message was not accepted: give its places back."""

    holder: str

    def put(self, state: State, now: float, dry: bool) -> int:
        return 0 if dry else state.release(self.holder)


class Ask:
    """What a check asks through: the clock of this query, and one method a question.

    now: seconds since 1970, the same all through a query (in a replay: the recorded time).
    holder: the transaction's id, under which places are reserved.
    clock: only when explaining: a running clock in seconds, to time each check.
    fault: what a check raised that it should not have, for the log.
    reserved: whether a place was reserved for this query. step: the check that asks now, for the records.
    """

    __slots__ = ("clock", "fault", "holder", "now", "reserved", "step")

    def __init__(self, now: float, holder: str = "", clock: Callable[[], float] | None = None) -> None:
        self.now = now
        self.holder = holder
        self.clock = clock
        self.reserved = False
        self.step = ""
        self.fault: BaseException | None = None

    async def reserve(self, key: str, limit: int) -> Place | Unknown:
        """Reserve one of `limit` places under `key` for this transaction (see `State.reserve`)."""
        answer = await Reserve(key, limit, self.holder)
        self.reserved = self.reserved or answer == "reserved"
        return answer

    async def commit(self) -> Settled | Unknown:
        """Use this transaction's places for good (see `State.commit`)."""
        return await Commit(self.holder)

    async def release(self) -> int | Unknown:
        """Give this transaction's places back (see `State.release`)."""
        return await Release(self.holder)


AnyQuestion = Question[Any]
