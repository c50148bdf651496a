"""Lists of hosts and clients that take patterns, too: names, addresses, networks and `/regular expressions/`.

They read the lists of clients that postgrey and sqlgrey come with, as these are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from eximacl.mail import entries as grammar
from eximacl.mail.address import canonical_domain
from eximacl.mail.entry_list import EntryList
from eximacl.mail.lists import Networks, Suffixes
from eximacl.mail.pattern_table import PatternTable, refuse_wildcard, whole_pattern

# The first two or three numbers of an IPv4 address stand for all that begin so.
_PARTIAL = re.compile(r"(\d{1,3}(?:\.\d{1,3}){1,2})\.?", re.ASCII)
_ADDRESS = re.compile(r"[\d./]+|[0-9a-f.]*:[0-9a-f:.]*(?:/\d+)?", re.ASCII | re.IGNORECASE)


class Hosts(EntryList):
    """Names of hosts: domains that stand for themselves and all below them, and patterns."""

    kind = "list of hosts"
    entry_help = "a domain: itself and all below it, also written *.example.org; or a /pattern/"

    __slots__ = ("_tables",)

    def replace(self, entries: Iterable[str]) -> None:
        names, patterns = _sorted(entries)
        self._tables = Suffixes(map(_domain, names)), PatternTable(patterns)
        self.filled = bool(names or patterns)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {**self._tables[0].parts(), "/": self._tables[1].sources()}

    def __len__(self) -> int:
        domains, patterns = self._tables
        return len(domains) + len(patterns)

    def match(self, name: str) -> str | None:
        """Return the longest domain that `name` equals or lies below, or else a pattern; None without one.

        Raises PatternTimeout.
        """
        domains, patterns = self._tables
        entry = domains.match(name) if domains.filled else None
        if entry is not None or not patterns.filled:
            return entry
        source = patterns.search(canonical_domain(name))
        return None if source is None else f"/{source}/"


class Clients(EntryList):
    """Clients by address or by the name of their host: what stands in postgrey's `whitelist_clients`."""

    kind = "list of clients"
    entry_help = (
        "an IP address, a network (192.0.2.0/24 or 192.0.2), a domain (itself and all below it), or a /pattern/ for "
        "the host's name"
    )

    __slots__ = ("_tables",)

    def replace(self, entries: Iterable[str]) -> None:
        networks: list[str] = []
        others: list[str] = []
        for entry in entries:
            if _ADDRESS.fullmatch(entry):
                networks.append(_whole(entry))
            else:
                others.append(entry)
        self._tables = Networks(networks), Hosts(others)
        self.filled = bool(networks or others)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {**self._tables[0].parts(), **self._tables[1].parts()}

    def __len__(self) -> int:
        return sum(map(len, self._tables))

    def match(self, ip: str, host: str) -> str | None:
        """Return the entry that covers a client, or its address where that is covered. Raises PatternTimeout."""
        networks, hosts = self._tables
        if ip in networks:
            return ip
        return hosts.match(host) if host else None


def _sorted(entries: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return entries, and the sources of patterns."""
    names: list[str] = []
    patterns: list[str] = []
    for entry in entries:
        pattern = whole_pattern(entry)
        if pattern is None:
            names.append(entry)
        else:
            patterns.append(pattern)
    return names, patterns


def _domain(entry: str) -> str:
    refuse_wildcard(entry.removeprefix("*."), grammar.DOMAIN, "")
    return entry[1:] if entry.startswith("*.") else entry


def _whole(entry: str) -> str:
    """Return an address or network in CIDR form."""
    partial = _PARTIAL.fullmatch(entry)
    if not partial:
        return entry
    numbers = partial[1].split(".")
    return f"{'.'.join((numbers + ['0'] * 4)[:4])}/{8 * len(numbers)}"
