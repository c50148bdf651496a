"""Counts that are made in many places and merged in one. Rule: merging in any order gives the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

# Enough to see what is wrong; a disk that fails would name every file.
EXAMPLES_MAX = 5

# broken: messages that cannot be read as such. unreadable: files and directories. vanished: while they were read.
Trouble = Literal["broken", "unreadable", "vanished"]


class Seen(NamedTuple):
    """One address: how many messages it received, the first and the last of them (seconds since 1970)."""

    mails: int
    first: int
    last: int


@dataclass
class Troubles:
    """What was passed over: numbers, and the first few names with their reasons."""

    counts: dict[Trouble, int] = field(default_factory=dict)
    examples: dict[Trouble, list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, trouble: Trouble, name: str, reason: str, count: int = 1) -> None:
        """Count something that was passed over."""
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
    """What a number of messages comes to: `seen` by `localpart@domain`, and how many messages were read."""

    seen: dict[str, Seen] = field(default_factory=dict)
    messages: int = 0
    troubles: Troubles = field(default_factory=Troubles)

    def add(self, recipients: tuple[str, ...], seconds: int) -> None:
        """Count one message."""
        for address in recipients:
            self._add(address, Seen(1, seconds, seconds))

    def merge(self, other: Tally) -> None:
        """Take over what was counted elsewhere."""
        self.messages += other.messages
        self.troubles.merge(other.troubles)
        for address, seen in other.seen.items():
            self._add(address, seen)

    def _add(self, address: str, seen: Seen) -> None:
        old = self.seen.get(address)
        if old is not None:
            seen = Seen(old.mails + seen.mails, min(old.first, seen.first), max(old.last, seen.last))
        self.seen[address] = seen
