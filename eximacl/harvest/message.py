"""Who of ours one message was for, and when it came. Rule: pure; only header fields count, and only a few of them.

Delivery fields (Delivered-To and its kin) name the envelope's recipient. To and Cc name whomever the sender wrote. For
mail of a mailing list these are others: there only the delivery fields count, and besides them

- an address that List-Post names too: a list of our own, which did receive the mail;
- all of To and Cc where there is neither a delivery field nor a List-Post: a newsletter, sent to each reader alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from eximacl.harvest.addresses import addresses
from eximacl.harvest.dates import believable, mbox_seconds_of, seconds_of
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
# Begins with the end of the line before, which the regex engine finds quickest.
_FIELD = re.compile(rb"\n(%b)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)" % _NAMES, re.IGNORECASE)
_ANY_FIELD = re.compile(rb"\n[!-9;-~]+[ \t]*:")
_MAIL_FIELD = re.compile(rb"\n(?:%b|From|Subject|Message-Id|Return-Path|Mime-Version)[ \t]*:" % _NAMES, re.IGNORECASE)
_DELIVERY = frozenset(name.lower().encode() for name in DELIVERY_FIELDS)
_NAMING = frozenset(name.lower().encode() for name in NAMING_FIELDS)
_LIST = frozenset(name.lower().encode() for name in LIST_FIELDS)

Ours = tuple[str, ...]


class Broken(Exception):
    """A message that cannot be read; the text says why."""


class Wanted(NamedTuple):
    """What is looked for.

    naming: whether To and Cc count, too. tags: the characters that start a tag, which is cut off. disposable: whether a
    disposable address counts for its owner, as it does in the check with its default options.
    """

    domains: Domains
    naming: bool = True
    tags: str = "+"
    disposable: Rules | None = None


class Received(NamedTuple):
    """One message: our recipients as `localpart@domain` in lower case, and when it came (None: it does not tell)."""

    recipients: Ours
    seconds: int | None


class Reader:
    """Reads headers; remembers the values that it has seen. `now`: seconds since 1970, later dates are not believed."""

    def __init__(self, wanted: Wanted, now: float) -> None:
        self._wanted = wanted
        self.now = now
        self._known: dict[bytes, Ours] = {}

    def read(self, header: bytes, envelope: bytes = b"") -> Received:
        """Read a message's header. `envelope`: the `From ` line before it, in an mbox. Raises Broken."""
        delivery: Ours = ()
        naming: Ours = ()
        posts: bytes | None = None
        listed = delivered = False
        received = date = b""
        for name, value in _FIELD.findall(b"\n" + header):
            name = name.lower()
            if name == b"received":
                received = received or value
            elif name in _DELIVERY:
                delivered = True
                delivery += self._ours(value, name)
            elif name in _NAMING:
                naming += self._ours(value) if self._wanted.naming else ()
            elif name == b"date":
                date = date or value
            elif name in _LIST or value.strip().lower() == b"list":
                listed = listed or name in _LIST or name == b"precedence"
                posts = value if name == b"list-post" else posts
        if not (delivery or naming):
            _check(header)
        if listed and naming:
            naming = self._of_list(naming, delivered, posts)
        return Received(tuple({*delivery, *naming}), self._seconds(received, date, envelope))

    def _of_list(self, naming: Ours, delivered: bool, posts: bytes | None) -> Ours:
        if posts is None:
            return () if delivered else naming
        ours = self._ours(posts)
        return tuple(one for one in naming if one in ours)

    def _seconds(self, received: bytes, date: bytes, envelope: bytes) -> int | None:
        for value in (received, date):
            seconds = seconds_of(value) if value else None
            if believable(seconds, self.now):
                return seconds
        seconds = mbox_seconds_of(envelope) if envelope else None
        return seconds if believable(seconds, self.now) else None

    def _ours(self, value: bytes, field: bytes = b"") -> Ours:
        """Return our addresses in a field's value."""
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
            if address.domain in self._wanted.domains:
                found.append(self._folded(_unprefixed(address) if field == b"delivered-to" else address))
        return found

    def _folded(self, address: Address) -> str:
        """Return the address that stands for this one in a list."""
        localpart = address.localpart.lower()
        rules = self._wanted.disposable
        if rules is not None:
            owned = parse(rules, localpart, address.domain)
            localpart = owned.name if isinstance(owned, Disposable) else localpart
        return f"{without_tag(localpart, self._wanted.tags)}@{address.domain}"


def _unprefixed(address: Address) -> Address:
    """Take off what qmail puts before the recipients of a virtual domain: `example.org-steve@example.org`."""
    localpart, domain = address
    prefix = f"{domain}-"
    if localpart.lower().startswith(prefix) and len(localpart) > len(prefix):
        return Address(localpart[len(prefix) :], domain)
    return address


def is_mail(header: bytes) -> bool:
    """Tell whether there is a field that mail has; many other files have lines that begin with a word and a colon."""
    return _MAIL_FIELD.search(b"\n" + header) is not None


def _check(header: bytes) -> None:
    """Raise Broken where no line is a header field; only asked where nothing was found."""
    if not header.strip():
        raise Broken("it is empty, or begins with an empty line")
    if not _ANY_FIELD.search(b"\n" + header):
        raise Broken("it has no header")
