"""The state verbs. Each is one transaction that happens whole or not at all, and each serves one purpose.

Times are seconds since 1970, and always the caller's: a backend reads no clock. A key is any text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from eximacl.policy.later import MayWait
from eximacl.policy.places import LISTED_MAX, NO_TERMS, AddressChange, KnownAddress, Place, Terms

# committed: each of the holder's places is used for good; lost: it has none (never had, released, or expired).
Settled = Literal["committed", "lost"]

# Long enough for a large message on a slow line, short enough that a lost `end` blocks a last place
# only for a while.
RESERVATION_SECONDS = 3600.0
# A clock that has since been set back may have written times further in the future than this: they are ignored.
# The ten minutes leave room for queries that took long or waited, and for clocks that are corrected by a little.
CLOCK_SLACK_SECONDS = 600.0
# A reservation that ends later than this was made by such a clock.
FARTHEST_SECONDS = RESERVATION_SECONDS + CLOCK_SLACK_SECONDS
# An expired reservation is remembered for this long, so that its transaction gets "lost" instead of half the truth.
# No SMTP transaction lasts a week.
LOST_SECONDS = 7 * 86400.0
# One call of `prune` deletes at most this many rows: a few milliseconds, for which a query may have to wait.
PRUNE_ROWS = 1000
# One call of `blocks` returns at most this many: a few milliseconds, too.
BLOCKS_MAX = 1000
# A window remembers each of its events, eight bytes each, and rewrites them all with every new one.
EVENTS_MAX = 10_000

# How many rows each check may have in each table: 225 MB on a disk, 275 MB in memory. A site where 10,000 unknown
# senders a day pass its greylist has 360,000.
ROWS_MAX = 500_000
# How many of the longest unused windows go at once where a check has too many: under a millisecond.
EVICTED_ROWS = 100


class StateError(Exception):
    """The state backend could not answer (dead, locked, full). Nothing was changed, as far as it knows."""


def owner_of(key: str) -> str:
    """Return whose row a key is: what stands before its first colon, by convention the check's name."""
    return key.partition(":")[0]


def too_many(key: str, most: int) -> StateError:
    """Return the error for a row that there is no room for."""
    text = f"{owner_of(key)} has {most} rows in the state, as many as state.rows allows: what is new is not remembered"
    return StateError(text)


class Block(NamedTuple):
    """A blocked key: since when and until when (`math.inf`: for ever), and why, for a person to read."""

    key: str
    since: float
    until: float
    why: str


class Sighting(NamedTuple):
    """A key that is known: when it was first seen, and until when it is known."""

    key: str
    since: float
    until: float


class State(Protocol):
    """The atomic verbs. A backend that cannot answer raises StateError and has changed nothing.

    A verb answers at once, or returns an awaitable of its answer where the backend has to wait for a network. What
    is awaited runs on the daemon's event loop and must not block it. It may be cancelled at any time, which is what
    happens to one that takes too long (`eximacl.daemon.answers.STATE_SECONDS`); whether its change was made is then
    not known, and the check gets an `Unknown`.

    Of `count`, `first_seen` and `block`, each owner (`owner_of`) has at most as many rows as the state was opened with.
    A flood must neither push out who is known or blocked, nor have good mail refused: at the bound, what is new is a
    StateError, which checks take as `Unknown`. Only of `count` the longest unused rows are forgotten, since those that
    matter are in use; and of `first_seen` those that end first, where the caller says so.

    However wrong the clock is, and however it is set: a committed place stays, and no more are used than there are.
    """

    def reserve(
        self, key: str, limit: int, holder: str, now: float, until: float, terms: Terms = NO_TERMS
    ) -> MayWait[Place]:
        """Take one of `limit` places under `key` for `holder` until `until`; a second call keeps the first place.

        `limit` grows by the places that were added to the address (see `revise`); `eximacl.policy.places.give` has the
        rules. The address becomes known with its first reservation.

        A reservation past its `until`, or with one after now + FARTHEST_SECONDS, no longer counts. When a place is
        given out, all such reservations of that key end for good, so that none comes back with the clock.
        If the holder's place is committed already, the answer is "reserved": the same transaction asked again.
        """

    def peek(self, key: str, limit: int, holder: str, now: float, terms: Terms = NO_TERMS) -> MayWait[Place]:
        """Answer as `reserve` would, and change nothing."""

    def commit(self, holder: str, now: float) -> MayWait[Settled]:
        """Make every live reservation of `holder` permanent. Asked again, it answers "committed" again.

        "lost" also when only one of several reservations has expired; then nothing is committed. Here a reservation has
        expired only past its `until`, or once its place was given to another; one that a clock ahead made is committed.
        Whose place it is, is remembered for LOST_SECONDS; then only that it is used.
        """

    def release(self, holder: str) -> MayWait[int]:
        """Give back every place of `holder`, committed ones too, and return how many there were.

        An address that has no place left by that, and that no person has changed, is not known any longer.
        """

    def places(self, key: str, now: float) -> MayWait[tuple[int, int]]:
        """Return how many places under `key` are committed, and how many are reserved."""

    def revise(self, key: str, now: float, change: AddressChange) -> MayWait[KnownAddress]:
        """Change an address, which becomes known by that, in one step; return it as it is then.

        Raises StateError where there are too many addresses for one more.
        """

    def known(self, key: str, now: float) -> MayWait[KnownAddress | None]:
        """Return what is known of an address, or None."""

    def all_known(
        self, now: float, after: str | None = None, most: int = LISTED_MAX
    ) -> MayWait[tuple[KnownAddress, ...]]:
        """Return the first `most` known addresses; with `after`, of those whose keys come after it.

        They are in order of their keys' code points.
        """

    def forget_known(self, before: float, most: int = LISTED_MAX) -> MayWait[int]:
        """Forget at most `most` addresses, used places and all, that no message was sent to since `before`.

        Refused messages count too (they are noted once a day), and so does a change by a person. A dated address is
        kept until its day. Return how many there were. The caller must be sure of the clock.
        """

    def count(self, key: str, window: float, most: int, now: float) -> MayWait[int]:
        """Note an event under `key`, and return how many there were in the last `window` seconds, with this one.

        At most the `most` newest events are remembered (1 … EVENTS_MAX), so that is the largest answer. An event
        more than CLOCK_SLACK_SECONDS after `now` was noted by a wrong clock: it is forgotten, and so is everything
        older than `window`. The row may be pruned `window` seconds after its last event; a later call may give another
        window. Raises ValueError for another `most`.
        """

    def tally(self, key: str, window: float, now: float) -> MayWait[int]:
        """Return how many events `key` had in the last `window` seconds, and note none."""

    def forget(self, key: str) -> MayWait[None]:
        """Forget all events that `count` has noted under `key`."""

    def first_seen(self, key: str, now: float, until: float, evict: bool = False) -> MayWait[float]:
        """Return when `key` was first seen; if never, or if it was forgotten, that is now, and known until `until`.

        A known key keeps its first time and its `until`. One first seen more than CLOCK_SLACK_SECONDS after `now` is
        taken as never seen. evict: where the owner has too many, the oldest make room for a new one. An owner's keys
        are all noted with it, or all without.
        """

    def seen(self, key: str, now: float) -> MayWait[float | None]:
        """Return when `key` was first seen, or None, and change nothing."""

    def remember(self, key: str, now: float, until: float) -> MayWait[bool]:
        """Keep a known key known until `until`, if that is later. Return whether it is known."""

    def sightings(
        self, prefix: str, now: float, after: str | None = None, most: int = LISTED_MAX
    ) -> MayWait[tuple[Sighting, ...]]:
        """Return the first `most` known keys that begin so; with `after`, of those that come after it.

        They are in order of their code points.
        """

    def unsee(self, key: str) -> MayWait[bool]:
        """Forget when a key was first seen. Return whether there was one; an expired one counts too."""

    def block(self, key: str, now: float, until: float, why: str) -> MayWait[None]:
        """Block `key` from now until `until`; if it is blocked, it keeps its `since`, the later `until` and its `why`.

        `math.inf` is for ever. A block that has expired is gone, and a new one starts afresh. The same holds for a
        block that begins more than CLOCK_SLACK_SECONDS after `now`, unless it is for ever.
        """

    def unblock(self, key: str) -> MayWait[bool]:
        """End a block. Return whether there was one; an expired one that is not pruned yet counts too."""

    def blocked(self, key: str, now: float) -> MayWait[Block | None]:
        """Return the block of `key` that is in force now, or None."""

    def blocks(self, now: float, after: str | None = None, most: int = BLOCKS_MAX) -> MayWait[tuple[Block, ...]]:
        """Return the first `most` blocks that are in force now; with `after`, of those whose keys come after it.

        They are in order of their keys' code points.
        """

    def prune(self, now: float) -> MayWait[int]:
        """Delete what no longer counts, at most PRUNE_ROWS rows, and return how many.

        Reservations LOST_SECONDS after their end; first times and blocks after theirs; windows one or two windows
        after their last event. What a clock ahead has written is pruned when its time has come. Never a committed
        place: a clock that is wrong for a minute must not give used places away. Whose a committed place is, is
        forgotten LOST_SECONDS after that; each counts as a row.
        """

    def close(self) -> MayWait[None]:
        """Release the backend's resources; calling it twice is harmless."""


class Backend(NamedTuple):
    """A kind of state.

    form: how its URL is written, for errors. rest: a regular expression for what may follow the scheme and its colon.
    open: makes a state from that and the number of rows that each owner may have; raises StateError. It must not wait
    for a network: the first verb does.
    is_file: whether that is a file's path; a relative one begins at the policy file. is_shared: whether another
    process that opens the same URL sees the same state.
    """

    form: str
    rest: str
    open: Callable[[str, int], State]
    is_file: bool = False
    is_shared: bool = True
