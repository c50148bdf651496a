"""Minting a disposable address as the policy of its domain will read it.

MintError
├── UnnamedDomain    several domains could be meant
├── ForeignDomain    the policy does not judge the domain
└── MintingOff       the policy does not read disposable addresses at the domain
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from eximacl.config import Loaded
from eximacl.daemon.offline import judge_without_dns
from eximacl.mail import disposable
from eximacl.mail.address import canonical_domain


class MintError(Exception):
    """An address cannot be minted; the text says what to give instead."""


class UnnamedDomain(MintError):
    """Several domains could be meant."""


class ForeignDomain(MintError):
    """The policy does not judge the domain."""


class MintingOff(MintError):
    """The policy does not read disposable addresses at the domain."""


class Minted(NamedTuple):
    """A new address, and what a client would be told about it now; `refused` is empty where it would be accepted."""

    address: str
    refused: str


def mint(
    loaded: Loaded, name: str, now: float, *, count: int | None = None, until: date | None = None, domain: str = ""
) -> Minted:
    """Return a new address of `name`, a localpart or an address: for `count` messages, or until a day begins.

    domain: if not given, that of `name`, or the only one of the policy. Raises MintError.
    """
    localpart, at, own_domain = name.rpartition("@")
    if not at:
        localpart, own_domain = name, ""
    domain = canonical_domain(domain or own_domain or _only_domain(loaded))
    try:
        address = disposable.mint(_rules(loaded, domain), localpart, domain, now, count=count, until=until)
    except ValueError as error:
        raise MintError(str(error)) from None
    # Nothing else can be held against this client: it has no name, and the sender is the null sender.
    query = {"tx": "mint", "ip": "127.0.0.1", "from": "", "rcpt": address, "dry": "1"}
    return Minted(address, judge_without_dns(loaded, "rcpt", query).message)


def _only_domain(loaded: Loaded) -> str:
    domains = list(loaded.settings.policy.domains)
    if len(domains) != 1:
        raise UnnamedDomain("the policy has several domains: name one with --domain, or give NAME as an address")
    return domains[0]


def _rules(loaded: Loaded, domain: str) -> disposable.Rules:
    """Return how disposable addresses are written at a domain. Raises ForeignDomain, MintingOff."""
    policy = loaded.policy.for_domain(domain)
    if policy is None:
        raise ForeignDomain(f"policy.domains does not list {domain}")
    for step in policy.steps("rcpt"):
        if step.name == "disposable":
            rules: disposable.Rules = step.options
            return rules
    raise MintingOff(f"disposable addresses are not read at {domain}: checks.disposable is off, or not in policy.order")
