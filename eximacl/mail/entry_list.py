"""What all lists of entries share. New content is swapped in whole.

A list object outlives its content: a check keeps the object, and the code that watches the source calls
`replace`, which builds the new table first and then swaps one reference. A refused entry raises
`ValueError` with the entry in its text, and the old content stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Any, ClassVar, Self

# So many entries are looked at together.
CHUNK_ENTRIES = 4096


class EntryList:
    """What all lists share: entries in, one table swapped whole. `kind` is the word in docs and errors.

    filled: whether there are entries; an attribute because the hot path cannot afford len(). live: whether its source
    is watched, so that it may be filled later.
    texts: an entry may have a text after a space. private: entries are secret and come from a file.
    """

    kind: ClassVar[str] = "list"
    entry_help: ClassVar[str] = "one entry"
    texts: ClassVar[bool] = False
    private: ClassVar[bool] = False

    __slots__ = ("filled", "live")

    filled: bool
    live: bool

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self.live = False
        self.replace(entries)

    def replace(self, entries: Iterable[str]) -> None:
        """Replace all entries. Raises ValueError on a bad one, and changes nothing then."""
        raise NotImplementedError

    @property
    def unused(self) -> bool:
        """Whether it is empty for good: an array without entries."""
        return not (self.filled or self.live)

    def adopt(self, other: Self) -> None:
        """Take over the entries of another list of the same kind."""
        for kind in type(self).__mro__:
            for name in getattr(kind, "__slots__", ()):
                setattr(self, name, getattr(other, name))
        if hasattr(self, "__dict__"):
            vars(self).update(vars(other))

    def parts(self) -> Mapping[Any, Collection[Any]]:
        """Return the entries as they are compared, those of each form together."""
        raise NotImplementedError

    def missing_in(self, other: Self) -> int:
        """Return how many of these entries another list of the same kind does not have."""
        theirs = other.parts()
        return sum(_missing(ours, theirs.get(form, ())) for form, ours in self.parts().items())

    def __len__(self) -> int:
        raise NotImplementedError


def _missing(ours: Collection[Any], theirs: Collection[Any]) -> int:
    """Return how many are not among `theirs`; in pieces, so that a long list does not keep other threads waiting."""
    waiting = iter(ours)
    count = 0
    while piece := set(islice(waiting, CHUNK_ENTRIES)):
        count += len(piece.difference(theirs))
    return count
