"""All records of a running daemon: the rejection log and the journal, opened, rotated and pruned together.

The one place that knows which decisions are kept, and where.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eximacl.config import Settings
from eximacl.records import journal, rejections
from eximacl.records.appender import Later
from eximacl.records.decision import DecisionRecord
from eximacl.records.journal import Journal, prune, shrink
from eximacl.records.redact import redacted
from eximacl.records.rejections import RejectionLog
from eximacl.records.room import Bounds

log = logging.getLogger("eximacl")


class Recorder:
    """Keeps decisions as the settings want. Make it inside a running event loop, or give a timer."""

    def __init__(self, settings: Settings, later: Later | None = None) -> None:
        self._later = later or asyncio.get_running_loop().call_later
        self._settings = settings
        self._rejections: RejectionLog | None = None
        self._journal: Journal | None = None
        self._open()

    def record(self, record: DecisionRecord) -> None:
        """Keep one decision: every one in the journal, refusals in the rejection log too, and nothing of a dry query.

        A hold at RCPT is not a refusal yet; it is one at DATA. Neither raises nor waits.
        """
        if record.query.dry:
            return
        word, at_data = record.decision.word, record.query.stage == "data"
        if self._rejections is not None and word != "accept" and (word != "hold" or at_data):
            self._rejections.write(record)
        if self._journal is not None:
            if at_data:  # the only stage that knows the message
                record = redacted(record, self._settings.archive.redact)
            self._journal.write(record)

    def reopen(self, settings: Settings) -> None:
        """Go on as new settings want; also after the files were rotated. What waits to be written is kept."""
        self._settings = settings
        path, directory = settings.log.rejections, settings.journal.dir
        if self._rejections is not None and path is not None:
            self._rejections.file.reopen(path, _log_bounds(settings))
            self._rejections.redact = settings.archive.redact
        elif self._rejections is not None:
            self._rejections.file.close()
            self._rejections = None
        if self._journal is not None and directory is not None:
            self._journal.move(directory, _journal_bounds(settings))
        elif self._journal is not None:
            self._journal.file.close()
            self._journal = None
        self._open()

    def retain(self, now: float) -> None:
        """Delete the days of the journal that are too old. Failures are logged."""
        settings = self._settings.journal
        if settings.keep_days:
            self._delete(f"journal.keep_days = {settings.keep_days}", lambda path: prune(path, settings.keep_days, now))

    def shrink(self, now: float) -> None:
        """Delete the oldest days of the journal where all take too much space. Failures are logged."""
        settings = self._settings.journal
        if settings.keep_mb:
            self._delete(f"journal.keep_mb = {settings.keep_mb}", lambda path: shrink(path, settings.keep_mb, now))

    def _delete(self, setting: str, work: Callable[[Path], list[Path]]) -> None:
        directory = self._settings.journal.dir
        if directory is None or not directory.is_dir():
            return
        try:
            for path in work(directory):
                log.info("%s was deleted, as %s wants", path, setting)
        except OSError as error:
            log.error("journal.dir: %s: old days cannot be deleted: %s", directory, error.strerror)

    def status(self) -> dict[str, Any]:
        """Return, for each record file, its path and how many records wait for it or were dropped.

        dropped: since it could last be written; lost: since the daemon's start.
        """
        found = {"rejections": self._rejections, "journal": self._journal}
        files = {name: record.file for name, record in found.items() if record is not None}
        return {
            name: {"path": str(file.path), "waiting": file.backlog[0], "dropped": file.backlog[1], "lost": file.lost}
            for name, file in files.items()
        }

    def problems(self) -> list[str]:
        """Return a line for each record file that cannot be written at the moment."""
        records = (record for record in (self._rejections, self._journal) if record is not None)
        return [record.file.trouble for record in records if record.file.trouble]

    def close(self) -> None:
        """Write what waits, and close. Calling it twice is harmless."""
        for record in (self._rejections, self._journal):
            if record is not None:
                record.file.close()
        self._rejections = self._journal = None

    def _open(self) -> None:
        settings = self._settings
        if self._rejections is None and settings.log.rejections is not None:
            self._rejections = RejectionLog(
                settings.log.rejections, self._later, settings.archive.redact, _log_bounds(settings)
            )
        if self._journal is None and settings.journal.dir is not None:
            self._journal = Journal(settings.journal.dir, self._later, _journal_bounds(settings))
        for problem in self.problems():
            log.error("%s", problem)


def _log_bounds(settings: Settings) -> Bounds:
    return rejections.bounds_of(settings.log.max_mb, settings.log.free_mb)


def _journal_bounds(settings: Settings) -> Bounds:
    return journal.bounds_of(settings.journal.keep_mb, settings.journal.free_mb)
