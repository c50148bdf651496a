"""`resolvable_sender`: whether a reply to the sender could be delivered, as far as DNS knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eximacl.check import Ask, Hit, Networks, Outcome, Query, RecordKind, Records, Unknown, check, option
from eximacl.mail.address import MAX_NAME_CHARACTERS
from eximacl.mail.hosts import dns_name, literal_address

# RFC 7505 section 3: one MX with preference 0 and the root as its host.
NULL_MX = ("0 .",)
# Debian's ROUTER_DNSLOOKUP_IGNORE_TARGET_HOSTS: addresses at which nobody's mail host can be reached from elsewhere.
NOT_PUBLIC = [
    "0.0.0.0",
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::/7",
    "fe80::/10",
    "100::/64",
]
# The sender chooses how many there are. Who has no usable host among the best ten may have one behind them.
HOSTS_MAX = 10


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `resolvable_sender`."""

    ignored: Networks = option(
        NOT_PUBLIC, "Addresses that do not count as those of a mail host, as for Debian's router `dnslookup`."
    )


@check("resolvable_sender", stages={"mail", "rcpt"}, options=Options, action="off")
async def resolvable_sender(query: Query, options: Options, ask: Ask) -> Outcome:
    """Refuse senders whose domain accepts no mail: no mail host with an address that can be reached, or a null MX.

    Its mail hosts are those of its MX records or, without any, the domain itself. Bounces, senders without a domain,
    and addresses in brackets pass.
    """
    sender = query.sender
    if sender is None or not sender.domain or literal_address(sender.domain):
        return None
    name = dns_name(sender.domain)
    if name is None:
        return _no_name(sender.domain)
    exchangers = await ask.look_up(name, "MX")
    if isinstance(exchangers, Unknown):
        return exchangers
    if exchangers == NULL_MX:
        text = f"{name} accepts no mail (null MX), so {sender} cannot get a reply"
        return Hit("sender-null-mx", name, text, status="7.27")
    # RFC 5321 section 5.1: without an MX, the domain's own address takes the mail.
    hosts = _hosts(exchangers) if exchangers else [name]
    return await _reachable(name, hosts, query, options, ask)


def _hosts(exchangers: Records) -> list[str]:
    """Return the names in MX records, the preferred first. An IP address is not a name, and Exim ignores it."""
    in_order = sorted(exchangers, key=lambda record: int(record.split()[0]))
    return list(dict.fromkeys(name for record in in_order if (name := dns_name(record.split()[1]))))


async def _reachable(name: str, hosts: list[str], query: Query, options: Options, ask: Ask) -> Outcome:
    """Return an objection where no host has an address that counts; Unknown where one of them may have."""
    kinds: tuple[RecordKind, ...] = ("A", "AAAA")
    unknown: Unknown | None = None
    addresses: list[str] = []
    for kind in kinds:  # nearly always the first will do
        answers = await ask.look_up_all([(host, kind) for host in hosts[:HOSTS_MAX]])
        addresses += _known(answers)
        unknown = unknown or next((answer for answer in answers if isinstance(answer, Unknown)), None)
        if any(address not in options.ignored for address in addresses):
            return None
    if unknown is not None:
        return unknown
    if len(hosts) > HOSTS_MAX:
        return Unknown(f"{name} has {len(hosts)} mail hosts, and none of the first {HOSTS_MAX} can be reached")
    if not addresses:
        return _unresolvable(name)
    if _may_be_ours(name, query, options):
        return None
    text = f"the mail hosts of {name} have no public address, so {query.sender} cannot get a reply"
    return Hit("sender-not-public", f"{name}: {' '.join(addresses)}", text, status="1.8")


def _known(answers: Iterable[Records | Unknown]) -> list[str]:
    return [address for answer in answers if not isinstance(answer, Unknown) for address in answer]


def _may_be_ours(name: str, query: Query, options: Options) -> bool:
    """Whether the sender may be one of our own, whose hosts DNS gives private addresses to.

    So it is where the client has one itself, or where the sender's domain is the recipient's, or below it. Before a
    recipient is known nobody can say, and RCPT comes later.
    """
    if query.recipient is None or query.ip in options.ignored:
        return True
    return f".{name}".endswith(f".{query.recipient.domain}")


def _no_name(domain: str) -> Hit | Unknown:
    """Judge what DNS cannot be asked for; a name in letters that we cannot encode may still exist."""
    if domain.isascii() or any(map(_is_raw_byte, domain)) or len(domain) > MAX_NAME_CHARACTERS:
        return _unresolvable(domain)
    return Unknown(f"{domain} cannot be written in A-labels (IDNA), so DNS cannot be asked")


def _is_raw_byte(character: str) -> bool:
    """Return whether this stands for a byte that is not UTF-8, which no domain of RFC 6531 has."""
    return "\udc80" <= character <= "\udcff"


def _unresolvable(domain: str) -> Hit:
    return Hit("sender-unresolvable", domain, f"the sender's domain {domain} accepts no mail", status="1.8")
