"""Counted and dated addresses after they were given out: listing, more places, a new start, an end.

Both the running daemon and, where none runs, its state answer REQUESTS (`eximacl.daemon.state_requests`).

DisposableError
├── NotDisposable    the policy does not read it as a disposable address
├── UnnamedDomain    several domains could be meant (`mint`)
├── ForeignDomain    the policy does not judge the domain
└── MintingOff       the policy does not read disposable addresses at the domain
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_type_hints

from eximacl.checks.disposable import Options, key_of, owner_of
from eximacl.config import Loaded
from eximacl.daemon.state_requests import ANSWER_CHARACTERS, Source, StateRequest, Values, given, part
from eximacl.mail.address import canonical_domain, parse_address, parse_quoted, without_brackets
from eximacl.mail.disposable import Disposable, Malformed, parse
from eximacl.policy.later import settled
from eximacl.policy.places import DAY_SECONDS, LISTED_MAX, NOTE_CHARACTERS_MAX, AddressChange, KnownAddress
from eximacl.policy.state import State
from eximacl.protocol.client import UNREADABLE, DaemonError
from eximacl.protocol.exim import CODES, ProtocolError, Reply

# Of places, whether a name has them or they were added: more than anybody wants, and reading them takes a millisecond.
MORE_MAX = 10_000
KINDS = ("counted:", "dated:")
# What a user puts behind the localpart of an address to end it.
END_TAG = "+end"

log = logging.getLogger("eximacl")


class NamedAddress(NamedTuple):
    """A disposable address as its domain's policy reads it: its key, and what the state has to know of it."""

    key: str
    owner: str
    limit: int
    day: str

    @property
    def address(self) -> str:
        """The address, without its signature."""
        return address_of(self.key)


class DisposableError(Exception):
    """There is no such address; the text says what to give instead."""


class NotDisposable(DisposableError):
    """The policy does not read this as a disposable address."""


class ForeignDomain(DisposableError):
    """The policy does not judge the domain."""


class MintingOff(DisposableError):
    """The policy does not read disposable addresses at the domain."""


def named(loaded: Loaded, text: str) -> NamedAddress:
    """Read an address, signed or not, in any of its spellings. Raises DisposableError."""
    localpart, domain = parse_quoted(without_brackets(text))
    if not (localpart and domain):
        raise NotDisposable(f"{text!r} is not an address; give one such as steve.3.count@example.org")
    options = rules_at(loaded, domain)
    found = parse(options, localpart, domain)
    if isinstance(found, Disposable):
        policy = loaded.policy.for_domain(domain)
        owner = owner_of(found, domain, policy.separators if policy else "")
        return NamedAddress(key_of(found, domain), owner, found.limit, str(found.until or ""))
    why = f" ({found.reason})" if isinstance(found, Malformed) else ""
    raise NotDisposable(f"{text} is not a disposable address by the policy of {domain}{why}")


def rules_at(loaded: Loaded, domain: str) -> Options:
    """Return how disposable addresses are read at a domain. Raises ForeignDomain, MintingOff."""
    policy = loaded.policy.for_domain(domain)
    if policy is None:
        raise ForeignDomain(f"policy.domains does not list {domain}")
    for step in policy.steps("rcpt"):
        if step.name == "disposable":
            rules: Options = step.options
            return rules
    raise MintingOff(f"disposable addresses are not read at {domain}: checks.disposable is off, or not in policy.order")


def address_of(key: str) -> str:
    """Return the address that a key is for."""
    return key.partition(":")[2]


def addresses_of(source: Source, owner: str = "", domain: str = "") -> Iterator[KnownAddress]:
    """Yield the known addresses in order of their keys: all, or those of one owner, or at one domain."""
    values = {"owner": owner.lower(), "domain": canonical_domain(domain) if domain else ""}
    while True:
        answer = source("addresses", values)
        yield from (_known(fields) for fields in part(answer, "addresses", list))
        after = part(answer, "after", str | None)
        if after is None:
            return
        values["after"] = after


def find_address(source: Source, key: str) -> KnownAddress | None:
    """Return what is known of an address, or None."""
    found = part(source("address", {"key": key}), "address", list | None)
    return found and _known(found)


def revise_address(
    source: Source,
    address: NamedAddress,
    *,
    more: int = 0,
    reset: bool = False,
    end: bool = False,
    note: str | None = None,
) -> KnownAddress:
    """Change an address (see `AddressChange`), which becomes known by that; return it as it is then."""
    values = {"key": address.key, "owner": address.owner, "limit": str(address.limit), "day": address.day}
    values |= {"more": str(more), "reset": "1" if reset else "", "end": "1" if end else ""}
    if note is not None:
        values["note"] = note
    return _known(part(source("revise", values), "address", list))


# A number may have lost its fraction in JSON.
_FIELD_TYPES = tuple((int, float) if kind is float else (kind,) for kind in get_type_hints(KnownAddress).values())


def _known(fields: list[Any]) -> KnownAddress:
    if len(fields) != len(_FIELD_TYPES) or not all(map(isinstance, fields, _FIELD_TYPES)):
        raise DaemonError(UNREADABLE)
    if any(isinstance(value, float) and not math.isfinite(value) for value in fields):
        raise DaemonError(UNREADABLE)
    return KnownAddress(*fields)


# What is done with the state.


async def _list(state: State, values: Values, now: float) -> dict[str, Any]:
    """Look at LISTED_MAX addresses at most, so that no query has to wait for long."""
    found = await settled(state.all_known(now, values.get("after")))
    page: list[list[Any]] = []
    characters = 0
    for known in found:
        if not _wanted(known, values.get("owner", ""), values.get("domain", "")):
            continue
        characters += sum(len(field) for field in known if isinstance(field, str))
        page.append(list(known))
        if characters > ANSWER_CHARACTERS:
            return {"addresses": page, "after": known.key}
    return {"addresses": page, "after": found[-1].key if len(found) == LISTED_MAX else None}


def _wanted(known: KnownAddress, owner: str, domain: str) -> bool:
    if not known.key.startswith(KINDS):
        return False
    return (not owner or known.owner == owner) and (not domain or known.key.endswith(f"@{domain}"))


async def _show(state: State, values: Values, now: float) -> dict[str, Any]:
    known = await settled(state.known(given(values, "key"), now))
    return {"address": known and list(known)}


async def _revise(state: State, values: Values, now: float) -> dict[str, Any]:
    note = values.get("note")
    if note is not None and len(note) > NOTE_CHARACTERS_MAX:
        raise ProtocolError("control", f"note= has at most {NOTE_CHARACTERS_MAX} characters")
    change = AddressChange(
        given(values, "owner"),
        _number(values, "limit"),
        values.get("day", ""),
        _number(values, "more"),
        values.get("reset") == "1",
        values.get("end") == "1",
        note,
    )
    return {"address": list(await settled(state.revise(given(values, "key"), now, change)))}


def _number(values: Values, name: str) -> int:
    text = values.get(name, "0")
    if not (text.isascii() and text.isdigit() and int(text) <= MORE_MAX):
        raise ProtocolError("control", f"{name}= is a whole number up to {MORE_MAX}")
    return int(text)


async def end_own(loaded: Loaded, state: State, values: Values, now: float) -> Reply:
    """End an address for a user whom Exim has authenticated, who sent a message to the address and END_TAG.

    `accept`: this is not such an address, and the message goes on like any other. Else the message is refused, with a
    text that says what was done. Raises ProtocolError, StateError.
    """
    user = given(values, "user").lower()
    localpart, domain = parse_address(given(values, "rcpt"))
    try:
        address = named(loaded, f"{localpart.removesuffix(END_TAG)}@{domain}")
    except DisposableError:
        return Reply("accept", CODES["accept"])
    if user not in (address.owner, address.owner.rpartition("@")[0]):
        text = f"5.7.1 {address.address} is not yours to end; {address.owner} may"
        return _refusal(text, f"{user} may not end {address.address}")
    if not await _may_be_new(loaded, state, address, now):
        text = f"4.2.1 {address.address} has had no mail, and too many such addresses were ended today; try again later"
        return Reply("defer", CODES["defer"], message=text, log=f"eximacl: {user} has ended too many new addresses")
    terms = address.owner, address.limit, address.day
    await settled(state.revise(address.key, now, AddressChange(*terms, end=True)))
    log.info("%s was ended by %s, by mail", address.address, user)
    return _refusal(f"5.2.1 {address.address} has ended and takes no more mail", f"{user} ended {address.address}")


async def _may_be_new(loaded: Loaded, state: State, address: NamedAddress, now: float) -> bool:
    """Return whether an address is known, or its owner has not made too many known by their end within a day.

    An ended address is kept for years: one account would else fill the state, and nobody's new address were taken.
    """
    most = rules_at(loaded, address.address.rpartition("@")[2]).new_addresses
    if not most or await settled(state.known(address.key, now)) is not None:
        return True
    return await settled(state.count(f"disposable-ended:{address.owner}", DAY_SECONDS, most + 1, now)) <= most


def _refusal(message: str, why: str) -> Reply:
    return Reply("reject", CODES["reject"], message=message, log=f"eximacl: {why}")


REQUESTS: Mapping[str, StateRequest] = {
    "addresses": StateRequest(_list),
    "address": StateRequest(_show),
    "revise": StateRequest(_revise, writes=True),
}
