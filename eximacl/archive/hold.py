"""Keeping a held message: from its DATA query to the archive. Rule: what cannot be kept is refused as well.

The daemon remembers nothing from RCPT to DATA: why the message is held comes with the query, in the words that
the reply to RCPT had (`held`, `held_reason`, `held_check`, `held_message`, `held_sentence`).
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from eximacl.archive import Archive, ArchiveError, Envelope, Held, logged_subject
from eximacl.config import Settings
from eximacl.mail.address import quoted
from eximacl.policy.query import Query
from eximacl.records.references import normalise


class ArchiveResult(NamedTuple):
    """What became of a held message: the names of its files in the archive, or why there are none."""

    filenames: tuple[str, ...]
    problem: str = ""


class Archiver:
    """Keeps held messages as the settings want it. Raises ArchiveError where the archive cannot be used at all."""

    def __init__(self, settings: Settings) -> None:
        archive = settings.archive
        self._redact = archive.redact
        self._archive = None if archive.dir is None else Archive(archive.dir, archive.group)
        if self._archive is not None:
            self._archive.prepare()

    async def keep(self, query: Query, now: float) -> ArchiveResult:
        """Archive the message of a held DATA query; it is on the disk when this returns. Raises nothing.

        The work is done in a thread: a large message takes some tenths of a second, and others ask meanwhile.
        """
        if self._archive is None:
            return ArchiveResult((), "archive.dir is not set any more")
        try:
            stored = await asyncio.to_thread(self._archive.store, self._held(query, now))
        except ArchiveError as error:
            return ArchiveResult((), str(error))
        return ArchiveResult(tuple(one.filename for one in stored))

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


def is_held(query: Query) -> bool:
    """Whether this DATA query is about a message whose recipients are held."""
    return query.stage == "data" and "held" in query.values


def held_ref(query: Query) -> str:
    """Return the reference under which the message is held; empty when the query has none that could be one."""
    try:
        return normalise(query.values.get("held", ""))
    except ValueError:
        return ""
