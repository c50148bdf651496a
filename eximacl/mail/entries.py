"""What an entry of a list may look like: a grammar for each kind of list.

Each function returns an entry in the form in which it is compared, or raises ValueError with the entry, what it should
be, and where one can guess it, what it looks like instead. A wrong file (an alias file, a map of another mail server,
the error message of a failed export) is refused at its first lines, and not read as names that nobody has.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata

from eximacl.mail.address import canonical_domain, canonical_localpart, unquote
from eximacl.mail.hosts import IPAddress, dns_name, ip_address, literal_address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# RFC 5321 section 4.5.3.1.3: a path has 256 octets, and two of them are its brackets.
ADDRESS_CHARACTERS_MAX = 254
# Enough of a wrong line to recognise it.
SHOWN_CHARACTERS = 80

RECIPIENT = "a localpart, an address, or @domain"
SENDER = "an address, @domain, or a localpart"
DOMAIN = "a domain name"
NETWORK = "an IP address or network"

# RFC 5322 section 3.2.3, and what RFC 6531 adds: all that is not ASCII. Dots may stand anywhere: Exim takes them so,
# and there are such mailboxes. No `*`: where people write one, they mean any text.
_LOCALPART = re.compile(r"[A-Za-z0-9!#$%&'+/=?^_`{|}~.\x80-\U0010ffff-]+")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])+"')
_PLAIN_LOCALPART = re.compile(r"[A-Za-z0-9._+=-]{1,64}")
_WHO = re.compile(rf"(?:{_QUOTED.pattern})?[^ \t\v\f]*")
_RAW_BYTE = re.compile("[\udc80-\udcff]")
# How `repr` shows one.
_SHOWN_BYTE = re.compile(r"(?<!\\)((?:\\\\)*)\\udc([89a-f][0-9a-f])")
# In Unicode's classes of letters and marks, but nothing is seen of them.
_UNSEEN = "\u034f\u115f\u1160\u2800\u3164\uffa0"
# They join letters in Persian, in the languages of India and in emoji, so between such letters they belong to a name.
_JOINERS = "\u200c\u200d"
_JOINED = re.compile(r"(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])")
_SPACES_AND_CONTROLS = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp", "Zs"))
_PLAIN_DOMAIN = re.compile(r"\.?[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
# Other programs' spellings of a pattern and of an exception; of what is allowed in a localpart, nobody begins with `!`,
# or has a slash at both ends without a domain (X.400: /G=Steve/S=Miller/@gateway.example).
_FOREIGN = re.compile(r"!|/.*/[imsux]*$", re.DOTALL)
# What people put into a list, and what to write instead; the first that fits is shown.
_LOOKS = tuple(
    (re.compile(pattern, re.DOTALL), hint)
    for pattern, hint in (
        (r"[^\s@]+@$", "for a localpart at any domain write it without the @"),
        (r"[{\[\]]", "a list is not JSON: write one entry a line"),
        (r"<[^<>\s]*@[^<>\s]*>", "write it without < and >"),
        (r"<>$", "the null sender, which all bounces have, cannot be in a list"),
        (r"<", "this looks like HTML or XML: write one entry a line"),
        (r"[^\s:]+:[^\s:]*:\d+:", "this looks like a passwd file: write the first field alone"),
        (r"\S+\s*:", "this looks like an alias file: write one entry a line, without a colon"),
        (r".*[,;]", "write one entry a line, without commas or semicolons"),
        (r"/.*/[imsux]*$", "a pattern cannot be in this list"),
        (r"!", "a list has no exceptions: take the entry out"),
        (r".*\*", "a list has no wildcards"),
        (r"\S+\s", "it has a blank in it; only a comment (# and a text) may follow an entry"),
    )
)


def recipient(entry: str) -> tuple[str, str]:
    """Read a localpart (at any domain), an address, or `@domain`, as localpart and canonical domain.

    Either may be empty; `*@domain` means `@domain`. The localpart may be in quotes, as in SMTP (RFC 5321 section
    4.1.2); it comes out of them in lower case and in NFC, in which RFC 6532 section 3.1 wants it.
    """
    if _PLAIN_LOCALPART.fullmatch(entry):
        return entry.lower(), ""
    return _mailbox(entry, RECIPIENT)


def with_text(entry: str) -> tuple[str, str]:
    """Split `joe No longer works here` into who that is (`recipient` reads it) and the text, which may be empty."""
    who, _, text = entry.partition(" ")
    if entry.isascii() and _PLAIN_LOCALPART.fullmatch(who):
        return who, text.strip()
    found = _WHO.match(entry)
    who = found[0] if found else ""
    if _RAW_BYTE.search(entry):
        raise _wrong(entry, f"{RECIPIENT}, then a text")
    return who, entry[len(who) :].strip()


def sender(entry: str) -> tuple[str, str]:
    """Read what stands in a list of senders: as `recipient`, but a localpart with a dot in it has to be quoted.

    Among senders such an entry is nearly always a domain that lacks its @, and would cover nobody.
    """
    if "@" not in entry and "." in entry and not entry.startswith('"') and dns_name(entry.strip(".")):
        meant = f'for a whole domain write @{entry.strip(".")}, for a localpart at any domain "{entry}" in quotes'
        raise ValueError(f"{shown(entry)} is not {SENDER}: {meant}")
    return _mailbox(entry, SENDER)


def localpart(entry: str) -> str:
    """Read a localpart, in quotes or not."""
    name, domain = _mailbox(entry, "a localpart")
    if domain:
        raise ValueError(f"{shown(entry)} is not a localpart: write it without its domain")
    return name


def domain(entry: str) -> str:
    """Read a domain name, with or without a dot before it; it is returned without, canonical."""
    name = entry.lower()
    if _PLAIN_DOMAIN.fullmatch(name) and len(name) < ADDRESS_CHARACTERS_MAX and not name[-1].isdigit():
        return name.removeprefix(".")
    canonical = dns_name(entry.removeprefix(".")) if not entry.startswith("..") else None
    if canonical is None or unfit(entry):
        raise _wrong(entry, DOMAIN, _domain_hint(entry))
    return canonical


def network(entry: str) -> Network:
    """Read an IP address or network; an IPv4-mapped one becomes the IPv4 network that it is."""
    try:
        found = ipaddress.ip_network(entry)
    except ValueError as error:
        hint = _host_hint(entry) if "host bits" in str(error) else _network_hint(entry)
        raise _wrong(entry, NETWORK, hint) from None
    if isinstance(found, ipaddress.IPv6Network) and found.network_address.scope_id is not None:
        raise _wrong(entry, NETWORK, "write it without the name of an interface")
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is None or found.prefixlen < 96:
        return found
    return ipaddress.ip_network((mapped, found.prefixlen - 96))


def unfit(text: str) -> str:
    """Return why a text cannot be meant: bytes that are not UTF-8, or a character that nobody sees; or nothing."""
    if text.isascii() and text.isprintable():
        return ""
    if _RAW_BYTE.search(text):
        return "it is not UTF-8: save the file as UTF-8"
    for character in _JOINED.sub("", text):
        if character == " " or (character.isprintable() and character not in _UNSEEN):
            continue
        if character in _UNSEEN or character in _JOINERS or unicodedata.category(character) in _SPACES_AND_CONTROLS:
            name = unicodedata.name(character, "a control character")
            return f"it has a character in it that cannot be seen: U+{ord(character):04X}, {name}"
    return ""


def is_text(text: str) -> bool:
    """Return whether a text has no control characters; bytes that are not UTF-8 may be in it."""
    return not any(unicodedata.category(character) == "Cc" for character in text)


def shown(entry: str) -> str:
    """Return an entry as errors show it."""
    text = repr(entry) if len(entry) <= SHOWN_CHARACTERS else f"{entry[:SHOWN_CHARACTERS]!r}…"
    return _SHOWN_BYTE.sub(r"\1\\x\2", text)


def _mailbox(entry: str, expected: str) -> tuple[str, str]:
    name, at, host = entry.rpartition("@")
    if not at or _QUOTED.fullmatch(entry):  # a localpart alone; in quotes it may have an @ in it
        name, host = entry, ""
    canonical = _mail_domain(host) if host else ""
    if name == "*" and canonical:
        name = ""
    quoted = name.startswith('"')
    right = not _FOREIGN.match(entry) and (not name or (_QUOTED if quoted else _LOCALPART).fullmatch(name))
    if not right or canonical is None or not (name or canonical) or (at and not host and not quoted):
        raise _wrong(entry, expected)
    if len(entry) > ADDRESS_CHARACTERS_MAX:
        raise _wrong(entry, expected, f"it is longer than {ADDRESS_CHARACTERS_MAX} characters")
    if unfit(entry):
        raise _wrong(entry, expected)
    return canonical_localpart(unquote(name) if quoted else name), canonical


def _mail_domain(text: str) -> str | None:
    """Return the canonical form of what follows the @ of an address: a domain, or an address in brackets."""
    return canonical_domain(text) if literal_address(text) else dns_name(text)


def _wrong(entry: str, expected: str, hint: str = "") -> ValueError:
    hint = unfit(entry) or hint or next((hint for look, hint in _LOOKS if look.match(entry)), "")
    return ValueError(f"{shown(entry)} is not {expected}" + (f": {hint}" if hint else ""))


def _domain_hint(entry: str) -> str:
    if entry.startswith("*.") and dns_name(entry[2:]):
        return f"write it without *; {entry[1:]} stands for all names below it"
    if "@" in entry and dns_name(entry.rpartition("@")[2]):
        return "write the part after the @ alone"
    if _address(entry) is not None:
        return "an IP address belongs in a list of networks"
    return ""


def _host_hint(entry: str) -> str:
    network = ipaddress.ip_network(entry, strict=False)
    return f"write {network} for the network, or {entry.partition('/')[0]} for this address alone"


def _network_hint(entry: str) -> str:
    if _address(entry) is not None:
        return "write it without brackets"
    return "a name belongs in a list of hosts" if dns_name(entry) and not entry.isdigit() else ""


def _address(entry: str) -> IPAddress | None:
    return ip_address(entry) or ip_address(entry.strip("[]"))
