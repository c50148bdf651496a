"""Counts that several processes make and one merges, in any order with the same result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

# Enough to see what is wrong; a disk that fails would name every file.
EXAMPLES_MAX = 5

# broken: messages that are not readable as such. unreadable: files and directories. vanished: gone before being read.
Trouble = Literal["broken", "unreadable", "vanished"]


class AddressCount(NamedTuple):
    """One address: how many messages it received, and the times of the first and the last (seconds since 1970)."""

    messages: int
    first: int
    last: int


@dataclass
class Troubles:
    """What was skipped: how much, and the first few names with their reasons."""

    counts: dict[Trouble, int] = field(default_factory=dict)
    examples: dict[Trouble, list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, trouble: Trouble, name: str, reason: str, count: int = 1) -> None:
        """Count something that was skipped."""
        self.counts[trouble] = self.counts.get(trouble, 0) + count
        examples = self.examples.setdefault(trouble, [])
        if len(examples) < EXAMPLES_MAX:
            examples.append((name, reason))

    def merge(self, other: Troubles) -> None:
        """Take over what was found elsewhere."""
        for trouble, count in other.counts.items():
            self.counts[trouble] = self.counts.get(trouble, 0) + count
            examples = self.examples.setdefault(trouble, [])
            examples.extend(other.examples.get(trouble, ())[: EXAMPLES_MAX - len(examples)])

    def __getitem__(self, trouble: Trouble) -> int:
        return self.counts.get(trouble, 0)


@dataclass
class Tally:
    """What some messages come to. seen: the counts by `localpart@domain`; messages: how many were read."""

    seen: dict[str, AddressCount] = field(default_factory=dict)
    messages: int = 0
    troubles: Troubles = field(default_factory=Troubles)

    def add(self, recipients: tuple[str, ...], seconds: int) -> None:
        """Count one message."""
        for address in recipients:
            self._add(address, AddressCount(1, seconds, seconds))

    def merge(self, other: Tally) -> None:
        """Take over what was counted elsewhere."""
        self.messages += other.messages
        self.troubles.merge(other.troubles)
        for address, seen in other.seen.items():
            self._add(address, seen)

    def _add(self, address: str, seen: AddressCount) -> None:
        old = self.seen.get(address)
        if old is not None:
            seen = AddressCount(old.messages + seen.messages, min(old.first, seen.first), max(old.last, seen.last))
        self.seen[address] = seen
