"""What checks with `action = "observe"` would have objected to, from the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from eximacl.policy.outcome import Traced
from eximacl.records.decisions import check_journal, query_of
from eximacl.records.errors import reading
from eximacl.records.journal import Entry, journal_files, read_journal


class Observed(NamedTuple):
    """One hit that was only noted: the decision, the check's line of its trace, and the query."""

    entry: Entry
    line: Traced
    query: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        entry, line = self.entry, self.line
        query = {key: self.query.get(key, "") for key in ("stage", "ip", "host", "helo", "from", "rcpt", "rcpts")}
        return {
            "time": datetime.fromtimestamp(entry.time, UTC).isoformat(timespec="milliseconds"),
            "ref": entry.ref,
            "check": line.check,
            "reason": line.reason,
            "detail": line.detail,
            "verdict": entry.word,
            **query,
        }


@dataclass(frozen=True, slots=True)
class ObservedCount:
    """How often a check has noted a reason."""

    check: str
    reason: str
    count: int


def observed(journal: Path, since: float, check: str | None = None) -> Iterator[Observed]:
    """Yield the hits that were only noted from a time on (seconds since 1970), the oldest first.

    check: only those of this one. Raises RecordsError.
    """
    check_journal(journal)
    with reading(journal):
        for entry in _entries_since(journal, since):
            lines = [line for line in entry.trace if _is_noted(line) and check in (None, line.check)]
            if lines:
                query = query_of(entry)
                yield from (Observed(entry, line, query) for line in lines)


def _entries_since(journal: Path, since: float) -> Iterator[Entry]:
    for path in journal_files(journal):
        # Whatever is in a file was decided before its last change.
        if path.stat().st_mtime >= since:
            yield from (entry for entry in read_journal(path) if entry.time >= since)


def counted(found: Iterable[Observed]) -> list[ObservedCount]:
    """Return how many there are by check and reason, the most frequent first."""
    kinds = Counter((one.line.check, one.line.reason) for one in found)
    return [ObservedCount(check, reason, count) for (check, reason), count in kinds.most_common()]


def _is_noted(line: Traced) -> bool:
    # A hit for which a check would have let the mail pass is not an objection.
    return line.result == "observe" and line.reason != "spared"
