"""`resolvable_sender`: whether an answer to the sender could be delivered. Rule: only DNS is asked, not the host."""

from __future__ import annotations

from eximacl.check import Ask, Hit, NoOptions, Outcome, Query, Unknown, check
from eximacl.mail.address import MAX_NAME_CHARACTERS
from eximacl.mail.hosts import dns_name, literal_address

# RFC 7505 section 3: one MX with preference 0 and the root as its host.
NULL_MX = ("0 .",)


@check("resolvable_sender", stages={"mail", "rcpt"}, action="off")
async def resolvable_sender(query: Query, options: NoOptions, ask: Ask) -> Outcome:
    """Refuse senders whose domain takes no mail: it has no MX and no address record, or a null MX.

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
        text = f"{name} says that it takes no mail, so nobody could answer {sender}"
        return Hit("sender-null-mx", name, text, status="7.27")
    if exchangers:
        return None
    # RFC 5321 section 5.1: without an MX, the domain's own address takes the mail.
    addresses = await ask.look_up_all([(name, "A"), (name, "AAAA")])
    if any(answer for answer in addresses if not isinstance(answer, Unknown)):
        return None
    return next((answer for answer in addresses if isinstance(answer, Unknown)), None) or _unresolvable(name)


def _no_name(domain: str) -> Hit | Unknown:
    """Judge what is no name for DNS; one in letters that are only beyond us may well be one."""
    if domain.isascii() or any(map(_is_raw_byte, domain)) or len(domain) > MAX_NAME_CHARACTERS:
        return _unresolvable(domain)
    return Unknown(f"{domain} cannot be written in A-labels (IDNA 2003), so DNS cannot be asked")


def _is_raw_byte(character: str) -> bool:
    """Tell whether this stands for a byte that is no UTF-8, as in no domain of RFC 6531."""
    return "\udc80" <= character <= "\udcff"


def _unresolvable(domain: str) -> Hit:
    return Hit("sender-unresolvable", domain, f"the sender's domain {domain} takes no mail", status="1.8")
