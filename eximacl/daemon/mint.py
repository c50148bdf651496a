"""Minting a disposable address as the policy of its domain will read it."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from eximacl.config import Loaded
from eximacl.daemon.disposable import DisposableError, rules_at
from eximacl.daemon.offline import judge_without_dns
from eximacl.mail import disposable
from eximacl.mail.address import canonical_domain


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


def _only_domain(loaded: Loaded) -> str:
    domains = list(loaded.settings.policy.domains)
    if len(domains) != 1:
        raise UnnamedDomain("the policy has several domains: name one with --domain, or give NAME as an address")
    return domains[0]
