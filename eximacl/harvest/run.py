"""A whole harvest: find the mail, read its headers in several processes, and choose the addresses to list."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from eximacl.harvest.find import MailSource, NoMail, Source, Walk, chunks
from eximacl.harvest.listfile import ListFile, unwritable
from eximacl.harvest.message import Criteria, Reader
from eximacl.harvest.pool import work
from eximacl.harvest.tally import AddressCount, Tally, Troubles
from eximacl.mail.disposable import Rules
from eximacl.mail.lists import Domains

# Starting processes for less takes longer than reading.
MESSAGES_PER_JOB = 1000


@dataclass(frozen=True)
class HarvestRequest:
    """Which addresses to look for.

    domains: ours. all_headers: count To and Cc, too, and not only delivery fields. tags: the characters that start a
    tag in a localpart. keep_disposable: list disposable addresses as they are. since: only later messages, in seconds
    since 1970. min_count: only addresses with at least that many messages. localparts: list them without a domain.
    """

    domains: Domains
    all_headers: bool = True
    tags: str = "+"
    keep_disposable: bool = False
    since: float = 0.0
    min_count: int = 1
    localparts: bool = False


@dataclass
class Survey:
    """What is at the paths: the mail, why there is none at some of them, and what could not be read."""

    found: list[MailSource] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    troubles: Troubles = field(default_factory=Troubles)

    @property
    def sources(self) -> list[Source]:
        """All mail that was found."""
        return [source for one in self.found for source in one.sources]

    @property
    def weight(self) -> int:
        """About how many messages there are."""
        return sum(source.weight for source in self.sources)


def survey(paths: Iterable[Path], excluded: Iterable[str]) -> Survey:
    """Look for mail at each path and below it. excluded: names of folders to skip."""
    walk = Walk(excluded)
    made = Survey(troubles=walk.troubles)
    for path in paths:
        try:
            made.found.append(walk.find(path))
        except NoMail as error:
            made.refused.append(str(error))
        except OSError as error:
            made.refused.append(f"{path} cannot be read: {error.strerror}")
    return made


def read(
    surveyed: Survey, request: HarvestRequest, jobs: int | None, now: float, advance: Callable[[int], None]
) -> Tally:
    """Read the headers of all mail that was found; return who received it.

    jobs: how many processes read; None: as many as there are processors, if that is worth it. now: dates after it are
    wrong, in seconds since 1970. advance: called with the weight of each piece that is done. Raises WorkerLost.
    """
    disposable = None if request.keep_disposable else Rules(timezone=ZoneInfo("UTC"))
    reader = Reader(Criteria(request.domains, request.all_headers, request.tags, disposable), now)
    tally = Tally(troubles=surveyed.troubles)
    jobs = jobs or min(len(os.sched_getaffinity(0)), surveyed.weight // MESSAGES_PER_JOB + 1)
    pieces = chunks(surveyed.sources, tally.troubles)
    with contextlib.closing(work(pieces, reader, request.since, jobs)) as done:
        for chunk, part in done:
            tally.merge(part)
            advance(chunk.weight)
    return tally


def entries(tally: Tally, request: HarvestRequest) -> dict[str, AddressCount]:
    """Return the addresses to list, or their localparts, with their counts."""
    counted = tally.seen
    if request.localparts:
        merged = Tally()
        for address, seen in tally.seen.items():
            merged.merge(Tally({address.rpartition("@")[0]: seen}))
        counted = merged.seen
    return {entry: seen for entry, seen in counted.items() if seen.messages >= request.min_count}


def write_list(
    listfile: ListFile, found: dict[str, AddressCount], tally: Tally, *, localparts: bool, merge: bool
) -> tuple[int, dict[str, str]]:
    """Write the list; return how many entries it has, and why others cannot be in one. Raises ListFileError."""
    unfit = {entry: why for entry in found if (why := unwritable(entry, localpart=localparts))}
    notes = [f"Mail for {len(found) - len(unfit):,} recipients in {tally.messages:,} messages"]
    if tally.troubles["unreadable"]:
        notes.append(f"Incomplete: {tally.troubles['unreadable']:,} files or directories could not be read")
    fit = {entry: seen for entry, seen in found.items() if entry not in unfit}
    return listfile.write(fit, notes, merge=merge), unfit
