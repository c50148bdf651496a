"""From the DATA query of a held message to the archive. A message that cannot be archived is refused all the same.

The daemon remembers nothing from RCPT to DATA: why the message is held comes with the query, in the words that
the reply to RCPT had (`held`, `held_reason`, `held_check`, `held_message`, `held_sentence`).
"""

from __future__ import annotations

import asyncio

from eximacl.archive import Archive, ArchiveError, Envelope, Held, logged_subject
from eximacl.config import Settings
from eximacl.mail.address import quoted
from eximacl.policy.outcome import Unknown
from eximacl.policy.query import Query
from eximacl.records.references import normalise


class Archiver:
    """Archives held messages as the settings want. Raises ArchiveError where the archive cannot be used at all."""

    def __init__(self, settings: Settings) -> None:
        archive = settings.archive
        self._redact = archive.redact
        self._archive = None if archive.dir is None else Archive(archive.dir, archive.group)
        if self._archive is not None:
            self._archive.prepare()

    async def archive(self, query: Query, now: float) -> tuple[str, ...] | Unknown:
        """Archive the message of a held DATA query; it is on the disk when this returns. Raises nothing.

        Returns the names of its files, or why there are none. It works in a thread: a large message takes some tenths
        of a second, and other queries must be answered meanwhile.
        """
        if self._archive is None:
            return Unknown("archive.dir is not set any more")
        try:
            stored = await asyncio.to_thread(self._archive.store, self._held(query, now))
        except ArchiveError as error:
            return Unknown(str(error))
        return tuple(one.filename for one in stored)

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
