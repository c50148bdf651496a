"""Many patterns for names and addresses: one search looks only at those that can match.

Nearly every pattern for hosts or senders ends in a domain, `\\.example\\.net$`. Such patterns are found by that domain,
in constant time, however many there are. Where the letters at the end are not a whole domain, these are compared first;
all others are searched one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import regex

from eximacl.mail.address import parents
from eximacl.mail.entries import shown
from eximacl.mail.patterns import PATTERN_INPUT_CHARACTERS, Patterns

# `/^mail\d+\.example\.net$/`, as in the lists of postgrey and sqlgrey; the first slash before a blank ends it.
_PATTERN = re.compile(r"/(.+?)/(?=\s|$)(.*)", re.DOTALL)
# These change what the rest of a pattern means: flags, look-arounds, conditions.
_SPECIAL = re.compile(r"\(\?(?!:)")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
# An entry with a wildcard; not what looks like something else than one entry.
_WILD = re.compile(r'[^\s":,;<>/\[\]{}]*\*[^\s":,;<>/\[\]{}]*')
_Sources = dict[str, list[str]]
# Signs that stand for themselves, these with or without a backslash; a dot only with one.
_SIGNS = frozenset("-_@")


class _Caseless(Patterns):
    """Patterns that match letters in either case."""

    flags = regex.IGNORECASE

    __slots__ = ()


class PatternTable:
    """Patterns for names or addresses. Raises ValueError for one that does not compile or backtracks endlessly."""

    __slots__ = ("_by_domain", "_by_tail", "_others", "_tails", "filled")

    def __init__(self, sources: Iterable[str] = ()) -> None:
        tables: tuple[_Sources, _Sources, _Sources] = ({}, {}, {})
        for source in dict.fromkeys(sources):
            domain, tail = domain_of(source)
            by_domain, by_tail, others = tables
            (by_domain if domain else by_tail if tail else others).setdefault(domain or tail, []).append(source)
        self._by_domain, self._by_tail, rest = ({end: _Caseless(found) for end, found in one.items()} for one in tables)
        self._tails = tuple(self._by_tail)
        self._others = rest.get("") or _Caseless()
        self.filled = any(tables)

    def __len__(self) -> int:
        return sum(map(len, (*self._by_domain.values(), *self._by_tail.values(), self._others)))

    def sources(self) -> frozenset[str]:
        """Return all patterns, as they are written."""
        tables = (*self._by_domain.values(), *self._by_tail.values(), self._others)
        return frozenset(source for table in tables for source in table)

    def search(self, text: str) -> str | None:
        """Return the first pattern that matches in a canonical name or address; None without one.

        Those with the longest domain come first, then the others. Raises PatternTimeout.
        """
        for patterns in self._possible(text):
            found = patterns.search(text)
            if found is not None:
                return found
        return None

    def _possible(self, text: str) -> Iterator[Patterns]:
        if self._by_domain:
            for domain in parents(text[-PATTERN_INPUT_CHARACTERS:].rpartition("@")[2]):
                if domain in self._by_domain:
                    yield self._by_domain[domain]
        if self._tails and text.endswith(self._tails):
            yield from (patterns for tail, patterns in self._by_tail.items() if text.endswith(tail))
        if self._others.filled:
            yield self._others


def split_pattern(entry: str) -> tuple[str, str] | None:
    """Split `/PATTERN/ REST` into both, the rest without blanks around it; None for an entry of another kind.

    Raises ValueError for one that begins like a pattern and does not end like one.
    """
    if not entry.startswith("/"):
        return None
    found = _PATTERN.fullmatch(entry)
    if found is None:
        raise ValueError(f"{entry!r} is not a pattern: it begins with a slash, and must end with one")
    return found[1], found[2].strip()


def whole_pattern(entry: str) -> str | None:
    """Return the pattern of `/PATTERN/`; None for an entry of another kind. Raises ValueError."""
    found = split_pattern(entry)
    if found is not None and found[1]:
        raise ValueError(f"{entry!r} has something after its pattern")
    return found and found[0]


def refuse_wildcard(entry: str, expected: str, prefix: str) -> None:
    """Raise ValueError for an entry with a wildcard in it, with the pattern that is meant.

    prefix: what precedes the dot of a domain that stands for all below it: `@` or nothing.
    """
    rest = entry[1:] if entry.startswith("*@") else entry
    if not _WILD.fullmatch(rest) or not rest.strip("*"):
        return
    below = rest.removeprefix(f"{prefix}*")
    if rest != below and below.startswith(".") and "*" not in below:
        meant = f"for all below a domain write {prefix}{below}"
    else:
        source = ".*".join(re.escape(part).replace("\\-", "-") for part in entry.lower().split("*"))
        meant = f"write a pattern between slashes: /^{source}$/"
    raise ValueError(f"{shown(entry)} is not {expected}: a list has no wildcards; {meant}")


def domain_of(source: str) -> tuple[str, str]:
    """Return how every text ends that a pattern matches: the domain, in whole labels, and the letters.

    Both are empty where that is not known.
    """
    if _SPECIAL.search(source) or _has_alternatives(source):
        return "", ""
    tail, whole = _tail_of(source)
    _, at, domain = tail.rpartition("@")
    if not at and not whole:
        domain = tail.partition(".")[2]  # the first label may be a part of one
    return domain, tail


def _tail_of(source: str) -> tuple[str, bool]:
    """Return the letters that stand for themselves at the end of a pattern, in lower case; and whether they are all."""
    if not source.endswith("$") or _is_escaped(source, len(source) - 1):
        return "", False
    tail = ""
    at = len(source) - 2
    while at >= 0:
        sign, escaped = source[at], _is_escaped(source, at)
        if not (sign in _SIGNS or (sign == "." and escaped) or (sign in _LETTERS and not escaped)):
            if escaped and sign.isalnum():  # what follows may belong to it: `\x2e`
                tail = tail[tail.find(".") :] if "." in tail else ""
            break
        tail = sign + tail
        at -= 2 if escaped else 1
    return tail.lower(), at == 0 and source[0] == "^"


def _is_escaped(source: str, at: int) -> bool:
    before = source[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _has_alternatives(source: str) -> bool:
    """Return whether a pattern as a whole is one of several: `a$|b`, but not `(a|b)$`."""
    depth = at = 0
    while at < len(source):
        sign = source[at]
        if sign == "|" and depth == 0:
            return True
        depth += (sign == "(") - (sign == ")")
        at = _end_of_class(source, at) if sign == "[" else at + 2 if sign == "\\" else at + 1
    return False


def _end_of_class(source: str, start: int) -> int:
    """Return where the class that begins at `start` has ended: `[^]a]` holds a bracket."""
    at = start + 1
    at += source[at : at + 1] == "^"
    at += source[at : at + 1] == "]"
    while at < len(source) and source[at] != "]":
        at += 2 if source[at] == "\\" else 1
    return at + 1
