"""Mail providers: the domains that their hosts greet with, and the domains that their hosts' names are in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from eximacl.mail.address import canonical_domain
from eximacl.mail.entry_list import EntryList
from eximacl.mail.lists import Suffixes


class Providers(EntryList):
    """Domains of mail providers, each with the domains that the names of its hosts are in: `gmail.com google.com`."""

    kind = "list of providers"
    entry_help = "a domain; then, after blanks, the domains that its hosts are in, if that is not the domain itself"

    __slots__ = ("_content",)

    def replace(self, entries: Iterable[str]) -> None:
        hosts: dict[str, Suffixes] = {}
        for entry in entries:
            domain, *others = entry.split()
            (name,) = Suffixes([domain])
            hosts[name] = Suffixes(others or [domain])
        self._content = Suffixes(hosts), hosts
        self.filled = bool(hosts)

    def parts(self) -> Mapping[Any, Collection[Any]]:
        return {"": self._content[1]}

    def __len__(self) -> int:
        return len(self._content[1])

    def provider_of(self, name: str) -> str | None:
        """Return the entry's domain that a name equals or lies below; None without one."""
        return self._content[0].match(name)

    def has_host(self, provider: str, host: str) -> bool:
        """Whether a host's name is one that this provider's hosts have. provider: what `provider_of` returned."""
        return self._content[1][provider].match(canonical_domain(host)) is not None
