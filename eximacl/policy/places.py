"""The places of counted addresses: what is kept of each address, and who gets its next place.

The rules stand here once, so that every state backend gives places out alike. Times are seconds since 1970.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, NamedTuple

# reserved: the holder has a place. pending: all places are taken, some only reserved. full: all are used for good.
# ended: its owner has ended the address. foreign: only another sender may use it. crowded: too many addresses are new.
Slot = Literal["reserved", "pending", "full", "ended", "foreign", "crowded"]

DAY_SECONDS = 86400.0
# Of all addresses in one state. Each takes some 400 bytes on the disk, so this is 0.4 GB: room for ten thousand owners
# with a hundred addresses each.
ADDRESSES_MAX = 1_000_000
# One call returns at most this many: some milliseconds, for which a query may have to wait.
LISTED_MAX = 1000
# Why no more addresses become known.
TOO_MANY = f"{ADDRESSES_MAX} addresses are known already; see state.forget_days"
# A note is for a line of a table.
NOTE_CHARACTERS_MAX = 200
# The longest envelope sender (RFC 5321, section 4.5.3.1); a longer one is cut.
SENDER_CHARACTERS_MAX = 320


class Place(NamedTuple):
    """What became of the wish for a place. number: which of the `limit` places it is, where it was reserved; else how
    many are used. limit: with the places that were added."""

    slot: Slot
    number: int
    limit: int


class Terms(NamedTuple):
    """Whose address a key is, and on what terms its places are given out.

    owner: the address that gets its mail; empty: the key is not an address, and nothing but its places is kept.
    sender: who sends this message; empty: the null sender.
    only: if not empty, the address has one sender: the first one, which must be this address, or of this domain.
    most_new: how many addresses of one owner may become known within a day; 0: any number.
    day: the day (ISO 8601) on which a dated address ends; empty: a counted one.
    """

    owner: str = ""
    sender: str = ""
    only: str = ""
    most_new: int = 0
    day: str = ""


NO_TERMS = Terms()


class KnownAddress(NamedTuple):
    """All that is kept of an address.

    limit: how many places its name has. extra: how many were added. used, reserved: how many are taken.
    since: when it became known. first, last: when its first and its newest message came; 0: none did.
    first_sender, last_sender: who sent these; empty: the null sender, or none did.
    ended: when its owner ended it; 0: it is open. issued: whether a person has made or changed it.
    """

    key: str
    owner: str = ""
    limit: int = 0
    extra: int = 0
    day: str = ""
    used: int = 0
    reserved: int = 0
    since: float = 0.0
    first: float = 0.0
    last: float = 0.0
    first_sender: str = ""
    last_sender: str = ""
    ended: float = 0.0
    issued: bool = False
    note: str = ""


class AddressChange(NamedTuple):
    """What a person does to an address, which becomes known by it. owner, limit, day: as in `KnownAddress`.

    more: how many places are added. reset: none of its places is used any longer, it is open, and has had no sender.
    end: it takes no more mail. note: None keeps the one that is there.
    """

    owner: str
    limit: int
    day: str = ""
    more: int = 0
    reset: bool = False
    end: bool = False
    note: str | None = None


class Found(NamedTuple):
    """What a backend finds before it gives a place out.

    mine: the holder has a place already. known: the address is known. rivals: the senders of all reserved places.
    new: how many addresses of this owner became known within a day; total: how many addresses there are.
    """

    used: int
    reserved: int
    mine: bool
    known: bool
    extra: int = 0
    ended: bool = False
    first_sender: str = ""
    rivals: tuple[str, ...] = ()
    new: int = 0
    total: int = 0


def give(found: Found, limit: int, terms: Terms) -> Place:
    """Decide about one wish for a place. With "reserved" and not `mine`, the backend has to write it down."""
    limit += found.extra
    if found.mine:
        return Place("reserved", found.used + found.reserved, limit)
    slot = _slot(found, limit, terms)
    return Place(slot, found.used + found.reserved + 1 if slot == "reserved" else found.used, limit)


def _slot(found: Found, limit: int, terms: Terms) -> Slot:
    if found.ended:
        return "ended"
    if found.used >= limit:
        return "full"
    if terms.only and found.first_sender and not is_of(found.first_sender, terms.only):
        return "foreign"
    if found.used + found.reserved >= limit:
        return "pending"
    # The first sender to be accepted will be the only one, and that is not decided yet.
    if terms.only and not found.first_sender and any(not is_of(sender, terms.only) for sender in found.rivals):
        return "pending"
    if not found.known and (0 < terms.most_new <= found.new or is_crowded(found.total)):
        return "crowded"
    return "reserved"


def is_crowded(total: int) -> bool:
    """Return whether a state has all the addresses that it may have."""
    return total >= ADDRESSES_MAX


def is_of(sender: str, only: str) -> bool:
    """Return whether a sender is this address, or at this domain or below it."""
    return sender == only or sender.endswith((f"@{only}", f".{only}"))


def is_over(address: KnownAddress, tried: float, before: float) -> bool:
    """Return whether an address may be forgotten: no message was tried since `before`, and its day is over, too."""
    return tried < before and address.day < day_of(before)


def day_of(time: float) -> str:
    """Return the day of a time, in UTC, as ISO 8601; empty before year 1."""
    try:
        return datetime.fromtimestamp(time, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return ""


def written(limit: int, terms: Terms) -> int:
    """Return the places that an address has by its name: a dated one has none."""
    return 0 if terms.day else limit


def cut_sender(sender: str) -> str:
    """Return a sender as it is kept."""
    return sender[:SENDER_CHARACTERS_MAX]
