"""How many entries a list may lose at once. What loses more than people take out by hand may be half a file.

Not the numbers of entries are compared, but the entries: half a file may have more than the whole one had.
"""

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
    """A list that had one content, and would have another.

    missing: how many of the entries that it had are gone.
    """

    before: Content
    after: Content
    missing: int = 0

    @property
    def is_any(self) -> bool:
        """Whether anything is missing, or may be."""
        return self._lost > 0 or not self.after.ended

    @property
    def is_doubtful(self) -> bool:
        """Whether the list has to rest before it counts, because it may not be written to its end."""
        return self._lost > HANDFUL or self._is_torn

    @property
    def is_refused(self) -> bool:
        """Whether the list does not count until someone says that it is meant."""
        return self._is_cut or (self._lost > HANDFUL and self._are_most(self._lost))

    @property
    def _lost(self) -> int:
        return max(self.missing, self.before.size - self.after.size)

    @property
    def _is_replaced(self) -> bool:
        """Whether there are other entries instead of those that are missing, so that the numbers do not show it."""
        fewer = self.before.size - self.after.size
        return self.missing > HANDFUL and (fewer <= HANDFUL or self._are_most(fewer) != self._are_most(self.missing))

    def _are_most(self, count: int) -> bool:
        return count * 100 > self.before.size * REFUSED_PERCENT

    @property
    def _is_cut(self) -> bool:
        """Whether the file ends in the middle of a line, and what came after it is missing."""
        return self._is_torn and self._lost > 0

    @property
    def _is_torn(self) -> bool:
        """Whether the last line may be the beginning of one: `com` of a list of domains would be a great many."""
        return self.before.ended and not self.after.ended

    @property
    def facts(self) -> str:
        """What was lost, without what becomes of it."""
        torn = " and no end of its last line" if self._is_torn else ""
        has = f"has {entries(self.after.size)}{torn} and"
        if self._is_replaced:
            return f"{has} lacks {self._lost:,} of the {self.before.size:,} that it had"
        return f"{has} had {self.before.size:,}"

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
            meant = "that is" if self._is_replaced or self._is_torn else "so few are"
            end = "end the last line; " if self._is_torn else ""
            return f"{stay}; {end}if {meant} meant: {tested}{first}eximacl reload --accept"
        place = " in place" if first else ""
        return f"{stay} until it has rested{place} for {REST_SECONDS:.0f} s; at once: {first}eximacl reload --accept"
