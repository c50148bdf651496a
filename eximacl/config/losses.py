"""How many entries a list may lose at once. What loses more than people take out by hand may be half a file."""

from __future__ import annotations

from typing import NamedTuple

# As many as one takes out in an editor: they count at once, and a list of a handful of entries stays easy to change.
# Not a share of the list: a program may pause, or end, anywhere, and those whose names come last are missing.
HANDFUL = 10
# What is refused until someone says that it is meant: an export that failed has written nothing, or only its beginning.
REFUSED_PERCENT = 90
# A program that waits for a slow database in the middle of its output is back by then.
REST_SECONDS = 60.0


def entries(count: int) -> str:
    """Return a number of entries as messages say it."""
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


class Content(NamedTuple):
    """How much a list has: the number of its entries, and whether its last line has an end.

    Editors write one, and so do most programs.
    """

    size: int = 0
    ended: bool = True


class Loss(NamedTuple):
    """A list that had one content, and would have another."""

    before: Content
    after: Content

    @property
    def is_doubtful(self) -> bool:
        """Whether the list has to rest before it counts, because it may not be written to its end."""
        return self._lost > HANDFUL or self._is_torn

    @property
    def is_refused(self) -> bool:
        """Whether the list does not count until someone says that it is meant."""
        return self._lost > HANDFUL and self._lost * 100 > self.before.size * REFUSED_PERCENT

    @property
    def _lost(self) -> int:
        return self.before.size - self.after.size

    @property
    def _is_torn(self) -> bool:
        """Whether the last line may be the beginning of one: `com` of a list of domains would be a great many."""
        return self.before.ended and not self.after.ended

    @property
    def facts(self) -> str:
        """What was lost, without what becomes of it."""
        torn = " and no end of its last line" if self._is_torn else ""
        return f"has {entries(self.after.size)}{torn} and had {self.before.size:,}"

    def __str__(self) -> str:
        return self._said("")

    @property
    def before_move(self) -> str:
        """The same as the text, of a list that is to be moved into the place of another one."""
        return self._said("move it into place, then: ")

    def _said(self, first: str) -> str:
        stay = f"{self.facts}, which stay in force"
        if self.is_refused:
            tested = "test it with --accept, " if first else ""
            return f"{stay}; if so few are meant: {tested}{first}eximacl reload --accept"
        place = " in place" if first else ""
        return f"{stay} until it has rested{place} for {REST_SECONDS:.0f} s; at once: {first}eximacl reload --accept"
