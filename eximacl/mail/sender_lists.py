"""Lists of envelope senders that take patterns, too, and senders for one recipient only: `joe: news@shop.example`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from eximacl.mail import entries as grammar
from eximacl.mail.address import Address, canonical_localpart
from eximacl.mail.entry_list import EntryList
from eximacl.mail.lists import Senders, Suffixes
from eximacl.mail.pattern_table import PatternTable, refuse_wildcard, split_pattern, whole_pattern
from eximacl.mail.senders import untagged

# Who the sender is for, up to a colon and a blank: no localpart has these without quotes.
_FOR = re.compile(r'((?:"(?:[^"\\]|\\.)*"|[^\s":/])[^\s":]*):\s+(?=\S)')
_BELOW = "@."
# What looks like a recipient and its sender, and is not: `joe:ann@example.net`, `joe:steve: ann@example.net`.
_LIKE_FOR = re.compile(r'[^\s":@\[/]+:(?:[^\s:]+:)?\s*[^\s:]*@\S+')


class SenderTable:
    """Senders without a recipient before them. Raises ValueError for an entry that is none."""

    __slots__ = ("_below", "_patterns", "_plain")

    def __init__(self, entries: Iterable[str]) -> None:
        plain: list[str] = []
        below: list[str] = []
        patterns: list[str] = []
        for entry in entries:
            pattern = whole_pattern(entry)
            if pattern is not None:
                patterns.append(pattern)
            else:
                refuse_wildcard(entry, grammar.SENDER, "@")
                (below if entry.startswith(_BELOW) else plain).append(entry)
        self._plain = Senders(plain)
        self._below = Suffixes(entry.removeprefix("@") for entry in below)
        self._patterns = PatternTable(patterns)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {**self._plain.parts(), **self._below.parts(), "/": self._patterns.sources()}

    def __len__(self) -> int:
        return len(self._plain) + len(self._below) + len(self._patterns)

    def match(self, sender: Address) -> str | None:
        """Return the narrowest entry that covers a sender, as `text_of` writes it. Raises PatternTimeout."""
        entry = self._plain.match(*sender) if self._plain.filled else None
        if entry is not None:
            return entry
        domain = self._below.match(sender.domain) if self._below.filled else None
        if domain is not None:
            return f"{_BELOW}{domain}"
        if not self._patterns.filled:
            return None
        source = self._patterns.search(f"{canonical_localpart(sender.localpart)}@{sender.domain}")
        return None if source is None else f"/{source}/"


class SenderRules(EntryList):
    """Envelope senders by address, domain, localpart or pattern, for all recipients or for one."""

    kind = "list of senders"
    entry_help = (
        'an address, @domain, @.domain (it and all below it), a localpart (in quotes if it has a dot: "first.last"), '
        "or a /pattern/ for the address; before it, if it is for one recipient only, that one and a colon"
    )

    __slots__ = ("_tables",)

    def replace(self, entries: Iterable[str]) -> None:
        self._tables = _by_recipient(map(_split, entries))
        self.filled = bool(self._tables)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {(who, form): part for who, one in self._tables.items() for form, part in one.parts().items()}

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    @property
    def has_recipients(self) -> bool:
        """Whether an entry is for one recipient only."""
        return any(self._tables.keys() - {""})

    def match(self, sender: Address, names: Iterable[str] = (), domain: str = "") -> str | None:
        """Return the entry that covers a sender, or the address behind its tags; one for the recipient comes first.

        names, domain: the localparts that stand for the recipient, and its canonical domain. Raises PatternTimeout.
        """
        return _match(self._tables, sender, names, domain)


class SenderTexts(EntryList):
    """Senders as in `SenderRules`, each with an optional text: `@shop.example We have asked you to stop`."""

    kind = "list of senders with texts"
    entry_help = f"{SenderRules.entry_help}; then, after a space, an optional text"
    texts = True

    __slots__ = ("_content",)

    def replace(self, entries: Iterable[str]) -> None:
        texts: dict[str, str] = {}
        rules: list[tuple[str, str]] = []
        for entry in entries:
            recipient, rest = _split(entry)
            sender, text = _with_text(rest)
            _refuse_address(entry, sender, text)
            texts[_shown(recipient, text_of(sender))] = text
            rules.append((recipient, sender))
        self._content = texts, _by_recipient(rules)
        self.filled = bool(texts)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {"": self._content[0]}

    def __len__(self) -> int:
        return len(self._content[0])

    def match(self, sender: Address, names: Iterable[str] = (), domain: str = "") -> tuple[str, str] | None:
        """Return the entry that covers a sender (see `SenderRules.match`) and its text, or an empty one."""
        texts, tables = self._content
        entry = _match(tables, sender, names, domain)
        return None if entry is None else (entry, texts[entry])


def text_of(entry: str) -> str:
    """Return an entry as `SenderTable.match` returns it."""
    if entry.startswith("/"):
        return entry
    if entry.startswith(_BELOW):
        return f"{_BELOW}{grammar.domain(entry[1:])}"
    return _address_text(*untagged(Address(*grammar.sender(entry))))


def _address_text(localpart: str, domain: str) -> str:
    return f"{localpart}@{domain}" if domain else localpart


def _split(entry: str) -> tuple[str, str]:
    """Split `RECIPIENT: SENDER`: the recipient canonical, or empty."""
    found = _FOR.match(entry) if ":" in entry else None
    if found is None:
        if _LIKE_FOR.match(entry):
            hint = "for one recipient only write that one, a colon, a blank and the sender: joe: news@shop.example"
            raise ValueError(f"{grammar.shown(entry)} is not {grammar.SENDER}: {hint}")
        return "", entry
    return _address_text(*grammar.recipient(found[1])), entry[found.end() :]


def _with_text(entry: str) -> tuple[str, str]:
    pattern = split_pattern(entry)
    if pattern is not None:
        return f"/{pattern[0]}/", pattern[1]
    return grammar.with_text(entry)


def _refuse_address(entry: str, sender: str, text: str) -> None:
    """Refuse `joe news@shop.example`: without the colon it is about all senders that are called joe."""
    if "@" in sender or sender.startswith("/") or not _is_sender(text):
        return
    hint = f"for the recipient {sender} only write a colon: {sender}: {text}; else write one entry a line"
    raise ValueError(f"{grammar.shown(entry)} has a sender where a text is expected: {hint}")


def _is_sender(text: str) -> bool:
    """Return whether a text is an address, a domain with its @, or a pattern, and nothing else."""
    if " " in text or not (text.startswith("/") or "@" in text):
        return False
    try:
        SenderTable([text])
    except ValueError:
        return False
    return True


def _by_recipient(rules: Iterable[tuple[str, str]]) -> dict[str, SenderTable]:
    """Return a table for each recipient; the key is empty for all."""
    entries: dict[str, list[str]] = {}
    for recipient, sender in rules:
        entries.setdefault(recipient, []).append(sender)
    return {recipient: SenderTable(found) for recipient, found in entries.items()}


def _match(tables: dict[str, SenderTable], sender: Address, names: Iterable[str], domain: str) -> str | None:
    sender = untagged(sender)
    for recipient in _recipients(tables, names, domain):
        entry = tables[recipient].match(sender)
        if entry is not None:
            return _shown(recipient, entry)
    return None


def _recipients(tables: dict[str, SenderTable], names: Iterable[str], domain: str) -> Iterator[str]:
    """Yield the keys of the tables that are for a recipient, the narrowest first, and for all."""
    if domain and len(tables) > ("" in tables):
        for name in map(canonical_localpart, names):
            yield from (key for key in (f"{name}@{domain}", name) if key in tables)
        if f"@{domain}" in tables:
            yield f"@{domain}"
    if "" in tables:
        yield ""


def _shown(recipient: str, sender: str) -> str:
    return f"{recipient}: {sender}" if recipient else sender
