"""Names of hosts that a provider made for a customer's line, not a person for a mail server.

A mistake in one direction refuses a provider's mail, in the other it misses a line: what looks like both is none.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter

from eximacl.mail.address import parents
from eximacl.mail.hosts import IPAddress

# Words by which providers mark the lines of their customers, followed by a number or standing alone. Most are in the
# lists of SpamAssassin (20_dynrdns.cf), rspamd (hfilter) and sqlgrey (dyn_fqdn.regexp) too.
LINE_WORDS = (
    r"(^|[.-])(dial-?(in|up)|dyn(amic)?(-?ip)?|dhcp|pp(p|poe|tp)|[avx]?dsl|cable(modem)?|catv|cpe|docsis|dip|gprs|"
    r"wimax|hsd|fbx|(home)?users?|broadband)([0-9]|[.-])"
)
_LINE = re.compile(LINE_WORDS)
# By these people tell that a host sends mail, in any part of its name but the last two.
_MAIL = re.compile(
    r"(?:^|[.-])(?:[a-z]*mail[a-z]*|smtps?|smtp-?(?:out|in|relay|auth)|mta|mx|mout|mo|out|outbound|relay|postfix|exim|"
    r"zimbra|exchange|newsletter)[0-9]*(?=[.-])"
)
# Domains in which only the provider's own hosts are, which send the mail of its users. Sources, of 2026-11-28: their
# SPF records, postgrey's whitelist (2024-02-04), and the hosts that sent what github.com/rf-peixoto/phishing_pot keeps.
_PROVIDERS = frozenset(
    """
    126.com 163.com acemsa1.com acemsa5.com acems3.com acemsrvd.com aliyun.com amazonses.com aol.com apple.com
    barracuda.com barracudanetworks.com battle.net bigfish.com cloudflare.net constantcontact.com ebay.com
    emailsrvr.com exacttarget.com facebook.com frontbridge.com github.com gmx.net google.com hostedemail.com
    hubspotemail.net icloud.com infomaniak.ch iphmx.com kajabi-mail.net kajabimail.net klaviyomail.com kundenserver.de
    linkedin.com mail.ru mailchannels.net mailersend.net mailgun.com mailgun.net mailgun.us mailjet.com
    mailspamprotection.com mandrillapp.com mcdlv.net mcsv.net me.com messagelabs.com messagingengine.com microsoft.com
    mimecast.com mktomail.com mtasv.net oracleemaildelivery.com outlook.com outlook.de paypal.com perfora.net
    postini.com pphosted.com protonmail.ch qq.com rambler.ru reflexion.net rsgsv.net salesforce.com sendgrid.net
    smailru.net smtp2go.com sparkpostmail.com transmail.net twitter.com web.de yahoo.com zdsys.com zoho.com zoho.eu
    """.split()  # noqa: SIM905 (one can read it)
)
# Machines that a hoster numbers: vmi1152785.contaboserver.net, vps-56e061e0.vps.ovh.net.
_RENTED = re.compile(r"(?:vmi?|vps|vds|vserver|kvm|srv|server|dedi|dedicated)-?[0-9a-f]*[0-9][0-9a-f]{2,}[.-]")

_NUMBER = re.compile(r"[0-9]+")
_HEXADECIMAL = tuple("0123456789abcdef")
_GROUP = re.compile(r"[0-9a-z]+")
# That so many octets are one digit long may be chance: mx1.dc2.rack1.example.net is perhaps 1.1.2.9.
_SHORT_OCTETS_MAX = 2
# The longest name that DNS has; what is longer is not searched.
_CHARACTERS_MAX = 255


def is_provider(name: str) -> bool:
    """Whether a canonical name is of a host by which a big provider sends its users' mail."""
    return any(domain in _PROVIDERS for domain in parents(name))


def is_made_from(name: str, address: IPAddress) -> bool:
    """Whether a canonical name holds its address and nothing in it tells that the host sends mail."""
    if not holds_address(name, address) or is_provider(name):
        return False
    return _MAIL.search(".".join(name.split(".")[:-2]) + ".") is None


def is_line(name: str, address: IPAddress) -> bool:
    """Whether a canonical name looks like that of a customer's line."""
    return is_made_from(name, address) or (_LINE.search(name) is not None and not is_provider(name))


def is_rented(name: str) -> bool:
    """Whether a canonical name is that of one of many machines which a hoster lets."""
    return _RENTED.match(name) is not None


def holds_address(name: str, address: IPAddress) -> bool:
    """Return whether `name` (canonical) holds `address`, in decimals or hexadecimals, and in any order in use.

    The whole address must be there; a part of it is chance.
    """
    if len(name) > _CHARACTERS_MAX:
        return False
    return _holds_v4(name, address) if isinstance(address, ipaddress.IPv4Address) else _holds_v6(name, address)


def _holds_v4(name: str, address: ipaddress.IPv4Address) -> bool:
    packed = address.packed
    if _stands_in(packed.hex(), name) or _stands_in(packed[::-1].hex(), name):
        return True
    numbers = _NUMBER.findall(name)
    octets = str(address).split(".")
    padded = [octet.zfill(3) for octet in octets]
    if "".join(padded) in numbers or "".join(padded[::-1]) in numbers:
        return True
    if len(numbers) < len(octets):
        return False
    written = [number.lstrip("0") or "0" for number in numbers]
    in_a_row = [written[start : start + 4] for start in range(len(written) - 3)]
    if octets in in_a_row or octets[::-1] in in_a_row:
        return True
    short = sum(len(octet) == 1 for octet in octets)
    return short <= _SHORT_OCTETS_MAX and not Counter(octets) - Counter(written)


def _holds_v6(name: str, address: ipaddress.IPv6Address) -> bool:
    """Whole, as nibbles or groups; the last 64 bits, which differ within one network; or as it is written."""
    groups = address.exploded.split(":")
    nibbles = "".join(groups)
    packed = re.sub(r"[-._x]", "", name)
    if nibbles in packed or nibbles[::-1] in packed:
        return True
    written = "-".join(group.lstrip("0") or "0" for group in _GROUP.findall(name))
    spellings = [
        "-".join(group.lstrip("0") or "0" for group in part)
        for part in (groups, groups[4:])
        if any(group != "0000" for group in part[:-1])
    ]
    compressed = address.compressed.replace("::", "--").replace(":", "-")
    return _stands_in(compressed, name) or any(_stands_in(spelling, written) for spelling in spellings)


def _stands_in(spelling: str, text: str) -> bool:
    """Whether a spelling stands in a text, and no digit before or after it makes it another number."""
    start = text.find(spelling)
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(spelling) :][:1]
        if not before.isdigit() and after not in _HEXADECIMAL:
            return True
        start = text.find(spelling, start + 1)
    return False
