"""Which of our addresses one message was for, and when it came, by a few of its header fields.

Delivery fields (Delivered-To and the like) name the envelope's recipient. To and Cc name whatever the sender wrote. In
messages of a mailing list those are other people: there only the delivery fields count, and besides them

- an address that List-Post names, too: a list of our own, which did receive the message;
- all of To and Cc where there is neither a delivery field nor a List-Post: a newsletter, sent to each reader alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from eximacl.harvest.addresses import addresses
from eximacl.harvest.dates import believable, mbox_seconds_of, seconds_of
from eximacl.mail import batv
from eximacl.mail.address import Address, without_tag
from eximacl.mail.disposable import Disposable, Rules, parse
from eximacl.mail.lists import Domains

DELIVERY_FIELDS = ("Delivered-To", "Envelope-To", "X-Original-To", "X-Envelope-To", "X-Delivered-To")
NAMING_FIELDS = ("To", "Cc", "Resent-To", "Resent-Cc")
LIST_FIELDS = ("List-Id", "List-Post", "Mailing-List", "X-Mailing-List")
# Most mailboxes repeat few values; beyond this the memory of each process would grow with the store.
CACHED_VALUES_MAX = 50_000
CACHED_VALUE_BYTES_MAX = 256

_NAMES = "|".join((*DELIVERY_FIELDS, *NAMING_FIELDS, *LIST_FIELDS, "Precedence", "Received", "Date")).encode()
# Begins with the end of the line before, which the regex engine finds fastest.
_FIELD = re.compile(rb"\n(%b)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)" % _NAMES, re.IGNORECASE)
_ANY_FIELD = re.compile(rb"\n[!-9;-~]+[ \t]*:")
_MAIL_FIELD = re.compile(rb"\n(?:%b|From|Subject|Message-Id|Return-Path|Mime-Version)[ \t]*:" % _NAMES, re.IGNORECASE)
# A sender that a forwarder (SRS) has rewritten: it is another one each day, and not a mailbox.
_REWRITTEN = re.compile(r"SRS[01][=+-]", re.IGNORECASE)
_DELIVERY = frozenset(name.lower().encode() for name in DELIVERY_FIELDS)
_NAMING = frozenset(name.lower().encode() for name in NAMING_FIELDS)
_LIST = frozenset(name.lower().encode() for name in LIST_FIELDS)

Ours = tuple[str, ...]


class Broken(Exception):
    """A message cannot be read; the text says why."""


class Criteria(NamedTuple):
    """Which addresses count, and as what.

    domains: ours. naming: whether To and Cc count, too. tags: the characters that start a tag, which is cut off.
    disposable: the rules by which a disposable address counts for its owner, as in the check; None: it counts itself.
    """

    domains: Domains
    naming: bool = True
    tags: str = "+"
    disposable: Rules | None = None


class Received(NamedTuple):
    """One message: our recipients as `localpart@domain` in lower case, and when it came (None: it does not say)."""

    recipients: Ours
    seconds: int | None


class Reader:
    """Reads headers, and remembers the values that it has seen. now: seconds since 1970; no message is from later."""

    def __init__(self, criteria: Criteria, now: float) -> None:
        self._criteria = criteria
        self.now = now
        self._known: dict[bytes, Ours] = {}

    @property
    def remembered(self) -> int:
        """How many values of fields it remembers, with the addresses in them."""
        return len(self._known)

    def read(self, header: bytes, envelope: bytes = b"") -> Received:
        """Read a message's header. envelope: the `From ` line before it, in an mbox. Raises Broken."""
        delivery: Ours = ()
        naming: Ours = ()
        posts: bytes | None = None  # List-Post
        listed = delivered = False
        received = date = b""
        # One pass in the order of the header, since splitting it into fields first would take twice as long.
        for name, value in _FIELD.findall(b"\n" + header):
            name = name.lower()
            if name == b"received":
                received = received or value  # each host puts its own on top: the first is that of our own server
            elif name in _DELIVERY:
                delivered = True  # even where it names a stranger: the message did not come to its To
                delivery += self._ours(value, name)
            elif name in _NAMING:
                naming += self._ours(value) if self._criteria.naming else ()
            elif name == b"date":
                date = date or value
            elif name in _LIST or value.strip().lower() == b"list":  # `Precedence: list`; bulk says nothing
                listed = True
                posts = value if name == b"list-post" else posts
        if not (delivery or naming):
            _check(header)  # perhaps it is not a message at all
        if listed and naming:
            naming = self._named_by_list(naming, delivered, posts)
        return Received(tuple({*delivery, *naming}), self._seconds(received, date, envelope))

    def _named_by_list(self, naming: Ours, delivered: bool, posts: bytes | None) -> Ours:
        """Return those of To and Cc that did receive a message of a mailing list; see the module's docstring."""
        if posts is None:
            return () if delivered else naming
        ours = self._ours(posts)
        return tuple(one for one in naming if one in ours)

    def _seconds(self, received: bytes, date: bytes, envelope: bytes) -> int | None:
        """Return the first time that can be believed: our own server's, the sender's, the mbox's."""
        for value in (received, date):
            seconds = seconds_of(value) if value else None
            if believable(seconds, self.now):
                return seconds
        seconds = mbox_seconds_of(envelope) if envelope else None
        return seconds if believable(seconds, self.now) else None

    def _ours(self, value: bytes, field: bytes = b"") -> Ours:
        """Return our addresses in a field's value; from memory where the same value came before."""
        key = field + value if field == b"delivered-to" else value
        found = self._known.get(key)
        if found is None:
            found = tuple(dict.fromkeys(self._read(value, field)))
            if len(key) <= CACHED_VALUE_BYTES_MAX:
                if len(self._known) >= CACHED_VALUES_MAX:
                    self._known.clear()
                self._known[key] = found
        return found

    def _read(self, value: bytes, field: bytes) -> list[str]:
        text = value.replace(b"\0", b" ").decode("utf-8", "surrogateescape")
        found = []
        for address in addresses(text):
            if address.domain in self._criteria.domains and not _REWRITTEN.match(address.localpart):
                found.append(self._folded(_unprefixed(address) if field == b"delivered-to" else address))
        return found

    def _folded(self, address: Address) -> str:
        """Return the address that stands for this one in a list."""
        localpart = batv.untagged(address.localpart.lower())
        rules = self._criteria.disposable
        if rules is not None:
            owned = parse(rules, localpart, address.domain)
            localpart = owned.name if isinstance(owned, Disposable) else localpart
        return f"{without_tag(localpart, self._criteria.tags)}@{address.domain}"


def _unprefixed(address: Address) -> Address:
    """Take off what qmail puts before the recipients of a virtual domain: `example.org-steve@example.org`."""
    localpart, domain = address
    prefix = f"{domain}-"
    if localpart.lower().startswith(prefix) and len(localpart) > len(prefix):
        return Address(localpart[len(prefix) :], domain)
    return address


def is_mail(header: bytes) -> bool:
    """Return whether there is a field that only mail has; many files have lines with a word and a colon in front."""
    return _MAIL_FIELD.search(b"\n" + header) is not None


def _check(header: bytes) -> None:
    """Raise Broken where no line is a header field. Only called where nothing was found, since that is slow."""
    if not header.strip():
        raise Broken("it is empty, or begins with an empty line")
    if not _ANY_FIELD.search(b"\n" + header):
        raise Broken("it has no header")
