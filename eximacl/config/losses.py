"""How many entries a list may lose at once. What loses more than people take out by hand may be half a file."""

from __future__ import annotations

from typing import NamedTuple

# As many as one takes out in an editor: they count at once, and a list of a handful of entries stays easy to change.
HANDFUL = 10
# More of a list than leaves it between two exports. A program that pauses while it writes has a whole file's length to
# do it in, so that only one pause in a hundred comes so late that less than this is missing.
RESTING_PERCENT = 1
# What is refused until someone says that it is meant: an export that failed has written nothing, or only its beginning.
REFUSED_PERCENT = 90
# A program that waits for a slow database in the middle of its output is back by then.
REST_SECONDS = 60.0


def entries(count: int) -> str:
    """Return a number of entries as messages say it."""
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


class Loss(NamedTuple):
    """A list that had `before` entries, and would have `after`."""

    before: int
    after: int

    @property
    def is_large(self) -> bool:
        """Whether the list has to rest before it counts, because it may not be written to its end."""
        return self._exceeds(RESTING_PERCENT)

    @property
    def is_refused(self) -> bool:
        """Whether the list does not count until someone says that it is meant."""
        return self._exceeds(REFUSED_PERCENT)

    def _exceeds(self, percent: int) -> bool:
        lost = self.before - self.after
        return lost > HANDFUL and lost * 100 > self.before * percent

    def __str__(self) -> str:
        stay = f"has {entries(self.after)} and had {self.before:,}, which stay in force"
        if self.is_refused:
            return f"{stay}; if so few are meant: eximacl reload --accept"
        return f"{stay} until it has rested for {REST_SECONDS:.0f} s; at once: eximacl reload --accept"
