"""Recent answers, bounded in entries and bytes; each is dropped when its time is over.

When the cache is full, the entry that was looked up longest ago goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from sys import getsizeof
from typing import TypeAlias

from eximacl.policy.outcome import Unknown
from eximacl.policy.questions import Records

# What a look-up came to: the records' texts, the empty tuple if there are none, or Unknown.
Resolved: TypeAlias = Records | Unknown
Key: TypeAlias = tuple[str, str]  # a canonical name, and a kind such as `A`

# A TTL of 0 means "for this transaction" (RFC 1035 section 3.2.1), and one message may ask for each of its recipients.
TTL_SECONDS_MIN = 5
# A wrong record is gone by tomorrow; resolvers have the same ceiling.
TTL_SECONDS_MAX = 86_400
# RFC 2308 section 5 found that one to three hours work well; an address that a list has just added should hit soon.
NEGATIVE_SECONDS_MAX = 3_600
# Long enough for the rest of one SMTP session, short enough that an outage of a second is over for the next.
UNKNOWN_SECONDS = 3
# A full cache takes this much for each entry that it may have. An honest entry takes less, a hostile one up to 20 KB.
ENTRY_BYTES = 600
# Overhead of an entry, and of each text in it.
EMPTY_BYTES = 300
TEXT_BYTES = 8


class Cache:
    """Answers by name and kind. All times are those of the resolver's clock. entries_max: bounds the bytes, too."""

    __slots__ = ("_answers", "_bytes", "_entries_max")

    def __init__(self, entries_max: int) -> None:
        self._answers: OrderedDict[Key, tuple[float, Resolved]] = OrderedDict()
        self._entries_max = entries_max
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Key, now: float) -> Resolved | None:
        """Return the answer that is known, or None."""
        entry = self._answers.get(key)
        if entry is None:
            return None
        if entry[0] <= now:
            self.drop(key)
            return None
        self._answers.move_to_end(key)
        return entry[1]

    def put(self, key: Key, answer: Resolved, seconds: int, now: float) -> None:
        """Keep an answer for as long as its TTL says, within bounds."""
        if isinstance(answer, Unknown):
            seconds = UNKNOWN_SECONDS
        elif answer:
            seconds = min(max(seconds, TTL_SECONDS_MIN), TTL_SECONDS_MAX)
        else:
            seconds = min(max(seconds, TTL_SECONDS_MIN), NEGATIVE_SECONDS_MAX)
        self.drop(key)
        self._answers[key] = (now + seconds, answer)
        self._bytes += _size(key, answer)
        while len(self._answers) > self._entries_max or self._bytes > self._entries_max * ENTRY_BYTES:
            self.drop(next(iter(self._answers)))

    def drop(self, key: Key) -> None:
        """Forget an answer. Harmless if there is none."""
        entry = self._answers.pop(key, None)
        if entry is not None:
            self._bytes -= _size(key, entry[1])


def _size(key: Key, answer: Resolved) -> int:
    """Return the bytes that an answer takes, roughly."""
    texts = answer if isinstance(answer, tuple) else (answer.detail,)
    return EMPTY_BYTES + getsizeof(key[0]) + sum(map(getsizeof, texts)) + TEXT_BYTES * len(texts)
