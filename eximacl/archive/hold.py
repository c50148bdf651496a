"""From the DATA query of a held message to the archive. A message that cannot be archived is refused all the same.

The daemon remembers nothing from RCPT to DATA: why the message is held comes with the query, in the words that
the reply to RCPT had (`held`, `held_reason`, `held_check`, `held_message`, `held_sentence`).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from concurrent.futures import Executor, ThreadPoolExecutor

from eximacl.archive import Archive, ArchiveError, Envelope, Held, logged_subject
from eximacl.config import Settings
from eximacl.mail.address import quoted
from eximacl.policy.outcome import Unknown
from eximacl.policy.query import Query
from eximacl.records.references import normalise
from eximacl.records.room import BYTES_PER_MB

# Archiving waits for the disk, not for the processor; a disk brings several messages down at once.
THREADS = 8
# The archive is measured again when this part of what it may take has come in, and not only once an hour.
GROWTH_SHARE = 10
# As long as Exim waits for a held message (EXIMACL_HOLD_TIMEOUT).
LATE_SECONDS = 60.0


def archive_threads() -> ThreadPoolExecutor:
    """Return threads for all work in the archive. They are its own: a disk that hangs holds up nothing else."""
    return ThreadPoolExecutor(THREADS, "archive")


class Archiver:
    """Archives held messages as the settings want. Raises ArchiveError where the archive cannot be used at all.

    threads: in which it works; None: those of the event loop.
    """

    def __init__(self, settings: Settings, threads: Executor | None = None) -> None:
        archive = settings.archive
        self._threads = threads
        self._numbers = itertools.count()
        # When each message that is being archived came, in seconds of the monotonic clock: the oldest first.
        self._under_way: dict[int, float] = {}
        self._redact = archive.redact
        self._archive = (
            None if archive.dir is None else Archive(archive.dir, archive.group, free=archive.free_mb * BYTES_PER_MB)
        )
        self._keep_bytes = archive.keep_mb * BYTES_PER_MB
        self._grown = 0
        if self._archive is not None:
            self._archive.prepare()

    async def archive(self, query: Query, now: float) -> tuple[str, ...] | Unknown:
        """Archive the message of a held DATA query; it is on the disk when this returns. Raises nothing.

        Returns the names of its files, or why there are none. It works in a thread: a large message takes some tenths
        of a second, and other queries must be answered meanwhile.
        """
        if self._archive is None:
            return Unknown("archive.dir is not set any more")
        number = next(self._numbers)
        self._under_way[number] = time.monotonic()
        try:
            run = asyncio.get_running_loop().run_in_executor
            stored = await run(self._threads, self._archive.store, self._held(query, now))
        except ArchiveError as error:
            return Unknown(str(error))
        finally:
            del self._under_way[number]
        self._grown += stored[0].envelope.size  # the copies for other domains are links
        return tuple(one.filename for one in stored)

    def grew(self) -> bool:
        """Return, once, that so much was archived since the last time that all may take more than `archive.keep_mb`."""
        if not self._keep_bytes or self._grown < self._keep_bytes // GROWTH_SHARE:
            return False
        self._grown = 0
        return True

    def late(self) -> str:
        """Return, for the admin, that messages wait for the disk longer than Exim does; empty: none does."""
        if self._archive is None or not self._under_way:
            return ""
        waited = time.monotonic() - next(iter(self._under_way.values()))
        if waited < LATE_SECONDS:
            return ""
        return (
            f"archive.dir: {self._archive.root}: the disk is slow: of {len(self._under_way)} held messages that wait"
            f" for it, one has waited for {waited:.0f} s"
        )

    def _held(self, query: Query, now: float) -> Held:
        value = query.values.get
        envelope = Envelope(
            ref=held_ref(query),
            time=now,
            sender=value("from", ""),
            recipients=tuple(map(quoted, query.recipients)),
            ip=query.ip,
            host=query.host,
            helo=query.helo,
            reason=value("held_reason", ""),
            check=value("held_check", ""),
            sentence=value("held_sentence", ""),
            message_id=value("message_id", ""),
            subject=logged_subject(value("subject", ""), self._redact),
        )
        return Held(
            envelope=envelope,
            headers=value("headers", ""),
            spool=value("spool", ""),
            id=value("id", ""),
            queue=value("queue", ""),
        )


def held_ref(query: Query) -> str:
    """Return the reference under which the message is held; empty where the query has none that is valid."""
    try:
        return normalise(query.values.get("held", ""))
    except ValueError:
        return ""
