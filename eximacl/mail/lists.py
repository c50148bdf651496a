"""The lists that options hold, without patterns. Look-ups take constant time."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Self

from eximacl.mail import entries as grammar
from eximacl.mail.address import (
    MAX_NAME_CHARACTERS,
    Address,
    canonical_domain,
    canonical_localpart,
    parents,
    parse_address,
)
from eximacl.mail.entry_list import CHUNK_ENTRIES, EntryList
from eximacl.mail.hosts import dns_name
from eximacl.mail.senders import untagged

# Short enough to type, long enough that it cannot be guessed (over 64 bits in any usual alphabet).
SECRET_CHARACTERS_MIN = 16

# In lower case. What has other characters is read by its grammar.
_PLAIN = b"abcdefghijklmnopqrstuvwxyz0123456789._+-=@\n"
# Whole addresses, localparts, domains.
_Recipients = tuple[Collection[str], Collection[str], Collection[str]]
_Tables = tuple[set[str], set[str], set[str]]


class Names(EntryList):
    """Localparts or other plain names, compared whole and in lower case."""

    kind = "list of names"
    entry_help = "a localpart, compared whole and in lower case"

    __slots__ = ("_names",)

    def replace(self, entries: Iterable[str]) -> None:
        self._names = {grammar.localpart(entry) for entry in entries}
        self.filled = bool(self._names)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {"": self._names}

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        return canonical_localpart(name) in self._names


class Suffixes(EntryList):
    """Domain names that stand for themselves and all below them, in whole labels: `com.br`, `sa`."""

    kind = "list of domains"
    entry_help = "a domain: itself and all below it"

    __slots__ = ("_tables",)

    def replace(self, entries: Iterable[str]) -> None:
        domains = frozenset(map(grammar.domain, entries))
        self._tables = domains, frozenset(domain.rpartition(".")[2] for domain in domains)
        self.filled = bool(domains)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {"": self._tables[0]}

    def __len__(self) -> int:
        return len(self._tables[0])

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._tables[0]))

    def match(self, name: str) -> str | None:
        """Return the longest entry that `name` equals or lies below; None without one."""
        domains, last_labels = self._tables
        if not name or not domains:
            return None
        if len(name) > MAX_NAME_CHARACTERS:
            name = name[-MAX_NAME_CHARACTERS:]
        last = name.rpartition(".")[2].lower()
        # Most names end in a label in which no entry ends: known in a quarter of the time.
        if last not in last_labels and last and last.isascii():
            return None
        name = canonical_domain(name)
        while name and name not in domains:
            name = name.partition(".")[2]
        return name or None


class Domains(EntryList):
    """Recipient domains: `example.org` is that one, `.example.org` all below it (but not itself)."""

    kind = "list of recipient domains"
    entry_help = "a domain; with a dot before it: all below it"

    __slots__ = ("_tables",)

    def replace(self, entries: Iterable[str]) -> None:
        exact: set[str] = set()
        below: set[str] = set()
        for entry in entries:
            (below if entry.startswith(".") else exact).add(grammar.domain(entry))
        self._tables = exact, below
        self.filled = bool(exact or below)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return dict(enumerate(self._tables))

    def __len__(self) -> int:
        return sum(map(len, self._tables))

    def __iter__(self) -> Iterator[str]:
        exact, below = self._tables
        yield from sorted(exact)
        yield from sorted(f".{domain}" for domain in below)

    def __contains__(self, domain: object) -> bool:
        """Whether a canonical domain is one of these."""
        exact, below = self._tables
        if domain in exact:
            return True
        if not below or not isinstance(domain, str):
            return False
        return any(parent in below for parent in parents(domain.partition(".")[2][-MAX_NAME_CHARACTERS:]))


class Recipients(EntryList):
    """Mailboxes by localpart (at any of the domains), by whole address, or by `@domain`."""

    kind = "list of recipients"
    entry_help = "a localpart, an address, or @domain"

    __slots__ = ("_tables",)

    @classmethod
    def of(cls, *addresses: Address) -> Self:
        """Return a list of such addresses, whatever their localparts look like; one of their parts may be empty."""
        found = cls()
        tables: _Tables = (set(), set(), set())
        for address in addresses:
            _add(tables, canonical_localpart(address.localpart), address.domain)
        found._tables, found.filled = tables, bool(addresses)
        return found

    def replace(self, entries: Iterable[str]) -> None:
        self._tables = _tables_of(entries, grammar.recipient)
        self.filled = len(self) > 0

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return dict(enumerate(self._tables))

    def __len__(self) -> int:
        return sum(map(len, self._tables))

    def match(self, localpart: str, domain: str) -> str | None:
        """Return the narrowest entry that covers `localpart` (any case) at a canonical `domain`; or None."""
        return _narrowest(self._tables, localpart, domain)


class Senders(Recipients):
    """Envelope senders by whole address, by `@domain`, or by localpart. Tags (BATV) make no difference."""

    kind = "list of senders"
    entry_help = 'an address, @domain, or a localpart (in quotes if it has a dot: "first.last")'

    __slots__ = ()

    def replace(self, entries: Iterable[str]) -> None:
        self._tables = _tables_of(map(_without_tags, entries), grammar.sender, dots=False)
        self.filled = len(self) > 0

    def match(self, localpart: str, domain: str) -> str | None:
        """Return the narrowest entry that covers the sender, or the address behind its tags; or None."""
        if "=" in localpart:
            localpart = untagged(Address(localpart, domain)).localpart
        return _narrowest(self._tables, localpart, domain)


class Messages(EntryList):
    """Recipients as in `Recipients`, each with an optional text: `joe No longer works here`."""

    kind = "list of recipients with texts"
    entry_help = "a localpart, an address, or @domain; then, after a space, an optional text"
    texts = True

    __slots__ = ("_content",)

    def replace(self, entries: Iterable[str]) -> None:
        texts: dict[str, str] = {}
        tables: _Tables = (set(), set(), set())
        for entry in entries:
            who, text = grammar.with_text(entry)
            texts[_add(tables, *grammar.recipient(who))] = text
        self._content = texts, tables
        self.filled = bool(texts)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {"": self._content[0]}

    def __len__(self) -> int:
        return len(self._content[0])

    def match(self, localpart: str, domain: str) -> tuple[str, str] | None:
        """Return the narrowest entry that covers the recipient and its text, or an empty one; None without one."""
        texts, tables = self._content
        entry = _narrowest(tables, localpart, domain) if texts else None
        return None if entry is None else (entry, texts[entry])


class Networks(EntryList):
    """IP addresses and networks in CIDR form, IPv4 and IPv6; an IPv4-mapped address counts as IPv4."""

    kind = "list of networks"
    entry_help = "an IP address or a network like 192.0.2.0/24"

    __slots__ = ("_tables",)

    def replace(self, entries: Iterable[str]) -> None:
        tables: dict[tuple[int, int], set[int]] = {}
        for entry in entries:
            network = grammar.network(entry)
            bits = network.max_prefixlen
            shift = bits - network.prefixlen
            tables.setdefault((bits, shift), set()).add(int(network.network_address) >> shift)
        self._tables = tables
        self.filled = bool(tables)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return self._tables

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    def __contains__(self, ip: str) -> bool:
        if not self._tables:
            return False
        packed = pack_ip(ip)
        if packed is None:
            return False
        bits, number = len(packed) * 8, int.from_bytes(packed, "big")
        return any(width == bits and number >> shift in prefixes for (width, shift), prefixes in self._tables.items())


class Secrets(EntryList):
    """Secrets of a keyed hash: the first one signs, all of them verify. No text that this class makes shows one."""

    kind = "file of secrets"
    entry_help = f"a secret of {SECRET_CHARACTERS_MIN} characters or more; the first signs, all verify"
    private = True

    __slots__ = ("_secrets",)

    def replace(self, entries: Iterable[str]) -> None:
        secrets = tuple(dict.fromkeys(entries))
        if any(len(secret) < SECRET_CHARACTERS_MIN for secret in secrets):
            raise ValueError(f"a secret is shorter than {SECRET_CHARACTERS_MIN} characters")
        if not all(map(grammar.is_text, secrets)):
            raise ValueError("a secret has a control character in it: it has to be a line of text")
        if not secrets and getattr(self, "_secrets", None):
            raise ValueError("the last secret is gone; without one no address can be verified")
        self._secrets = tuple(secret.encode("utf-8", "surrogateescape") for secret in secrets)
        self.filled = bool(secrets)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {"": self._secrets}

    def __len__(self) -> int:
        return len(self._secrets)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._secrets)


def pack_ip(ip: str) -> bytes | None:
    """Return an IP address in network byte order, IPv4-mapped IPv6 as IPv4; None if it is not an address."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        packed = socket.inet_pton(family, ip)
    except (OSError, ValueError):  # ValueError: a NUL byte or a surrogate inside
        return None
    if len(packed) == 16 and packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return packed[12:]
    return packed


def _tables_of(entries: Iterable[str], read: Callable[[str], tuple[str, str]], dots: bool = True) -> _Recipients:
    """Return the tables of recipients or senders. Raises ValueError. dots: a localpart without quotes may have some."""
    tables: _Tables = (set(), set(), set())
    domains: set[str] = set()
    waiting = iter(entries)
    # Most lists have only plain ones, and these need no look at each.
    while chunk := list(islice(waiting, CHUNK_ENTRIES)):
        plain = _plain_entries(chunk)
        for entry in chunk if plain is None else _others(plain, tables, domains, dots):
            _add(tables, *read(entry))
    return tables


def _plain_entries(chunk: list[str]) -> list[str] | None:
    """Return entries in lower case if all have only plain characters, and none is too long; else None."""
    text = "\n".join(chunk).lower()
    if not text.isascii() or text.encode().translate(None, _PLAIN):
        return None
    entries = text.split("\n")
    if len(entries) != len(chunk) or max(map(len, entries)) > grammar.ADDRESS_CHARACTERS_MAX:
        return None
    return entries


def _others(entries: list[str], tables: _Tables, domains: set[str], dots: bool) -> Iterable[str]:
    """Add plain addresses and localparts; return the other entries. domains: those that are known to be right."""
    addresses, localparts, _ = tables
    bare = []
    others = []
    for entry in entries:
        localpart, at, domain = entry.partition("@")
        if not at:
            bare.append(entry)
        elif localpart and (domain in domains or dns_name(domain) == domain):
            domains.add(domain)
            addresses.add(entry)
        else:
            others.append(entry)
    if "" in bare or not dots:
        return others + bare
    localparts.update(bare)
    return others


def _without_tags(entry: str) -> str:
    """Return an entry of a list of senders without its tags: the next message has others."""
    return str(untagged(parse_address(entry))) if "=" in entry else entry


def _add(tables: _Tables, localpart: str, domain: str) -> str:
    """Put a recipient into its table; return the entry as it is shown."""
    if not domain:
        tables[1].add(localpart)
        return localpart
    if not localpart:
        tables[2].add(domain)
        return f"@{domain}"
    tables[0].add(f"{localpart}@{domain}")
    return f"{localpart}@{domain}"


def _narrowest(tables: _Recipients, localpart: str, domain: str) -> str | None:
    addresses, localparts, domains = tables
    localpart = localpart.lower()
    if not localpart.isascii():
        localpart = canonical_localpart(localpart)
    if addresses and f"{localpart}@{domain}" in addresses:
        return f"{localpart}@{domain}"
    if localpart in localparts:
        return localpart
    return f"@{domain}" if domain in domains else None
