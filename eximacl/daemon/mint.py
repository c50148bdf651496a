"""Minting a disposable address as the policy of its domain will read it."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from eximacl.config import Loaded
from eximacl.daemon.disposable import DisposableError, address_of, rules_at
from eximacl.daemon.offline import judge_without_dns
from eximacl.mail import disposable
from eximacl.mail.address import canonical_domain
from eximacl.policy.places import KnownAddress


class UnnamedDomain(DisposableError):
    """Several domains could be meant."""


class Minted(NamedTuple):
    """A new address, and what a client would be told about it now; `refused` is empty where it would be accepted.

    To have the state know it before its first message, see `eximacl.daemon.disposable.revise_address`.
    """

    address: str
    refused: str


def mint(
    loaded: Loaded, name: str, now: float, *, count: int | None = None, until: date | None = None, domain: str = ""
) -> Minted:
    """Return a new address of `name`, a localpart or an address: for `count` messages, or until a day begins.

    domain: if not given, that of `name`, or the only one of the policy. Raises DisposableError.
    """
    localpart, at, own_domain = name.rpartition("@")
    if not at:
        localpart, own_domain = name, ""
    domain = canonical_domain(domain or own_domain or _only_domain(loaded))
    try:
        address = disposable.mint(rules_at(loaded, domain), localpart, domain, now, count=count, until=until)
    except ValueError as error:
        raise DisposableError(str(error)) from None
    # Nothing else can be held against this client: it has no name, and the sender is the null sender.
    query = {"tx": "mint", "ip": "127.0.0.1", "from": "", "rcpt": address, "dry": "1"}
    return Minted(address, judge_without_dns(loaded, "rcpt", query).message)


def shortfall(loaded: Loaded, known: KnownAddress) -> str:
    """Return why a minted address takes no mail, or fewer messages than its name says; empty: it is as good as new.

    The same name, count and day always make the same address, which may have been in use before.
    """
    address, limit = address_of(known.key), known.limit + known.extra
    if known.ended:
        return f"it has ended and takes no mail; to open it: eximacl disposable reset {address}"
    if known.day or not known.used:
        return ""
    policy = loaded.policy.for_domain(address.rpartition("@")[2])
    tag = f"{known.owner.rpartition('@')[0]}{policy.separators[0]}shop" if policy and policy.separators else ""
    another = f"; for a new address, mint one with a tag, such as {tag}" if tag else ""
    taken = f"{known.used} of its {limit} messages have come already" if limit > 1 else "its message has come already"
    full = ", so it takes no more" if known.used >= limit else ""
    return f"{taken}{full}; to count from zero: eximacl disposable reset {address}{another}"


def _only_domain(loaded: Loaded) -> str:
    domains = list(loaded.settings.policy.domains)
    if len(domains) != 1:
        raise UnnamedDomain("the policy has several domains: name one with --domain, or give NAME as an address")
    return domains[0]
