"""`resolvable_sender`: whether a reply to the sender could be delivered, as far as DNS knows."""

from __future__ import annotations

from eximacl.check import Ask, Hit, NoOptions, Outcome, Query, Unknown, check
from eximacl.mail.address import MAX_NAME_CHARACTERS
from eximacl.mail.hosts import dns_name, literal_address

# RFC 7505 section 3: one MX with preference 0 and the root as its host.
NULL_MX = ("0 .",)


@check("resolvable_sender", stages={"mail", "rcpt"}, action="off")
async def resolvable_sender(query: Query, options: NoOptions, ask: Ask) -> Outcome:
    """Refuse senders whose domain accepts no mail: it has neither an MX nor an address record, or a null MX.

    Bounces, senders without a domain, and addresses in brackets pass.
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
    if exchangers:
        return None
    # RFC 5321 section 5.1: without an MX, the domain's own address takes the mail.
    addresses = await ask.look_up_all([(name, "A"), (name, "AAAA")])
    if any(answer for answer in addresses if not isinstance(answer, Unknown)):
        return None
    return next((answer for answer in addresses if isinstance(answer, Unknown)), None) or _unresolvable(name)


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
