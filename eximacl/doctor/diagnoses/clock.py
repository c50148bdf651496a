"""Is the clock right, as far as files can tell?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem
from eximacl.exim.place import local_place, sources
from eximacl.exim.snippets import files_of
from eximacl.exim.startup import logs
from eximacl.state import file_of

# The year of this version: a clock that shows an earlier one is wrong.
YEAR_MIN = 2026
# Clocks of two machines that share a disk differ by less, or have other problems, too.
AHEAD_SECONDS = 300


@diagnosis("system")
def clock(case: Case) -> Iterator[Finding]:
    """The clock is not behind the year of this version, nor behind the last change of our files and Exim's."""
    year = datetime.fromtimestamp(case.now, UTC).year
    ahead = [path for path in _files(case) if path.exists() and path.stat().st_mtime > case.now + AHEAD_SECONDS]
    if year < YEAR_MIN or ahead:
        why = f"it is {year}" if year < YEAR_MIN else f"{ahead[0]} was changed in the future"
        yield problem(
            f"the clock is wrong: {why}",
            "dated addresses end on the wrong day, and counts are kept too long or too short",
            "set the clock (timedatectl), and keep it right with systemd-timesyncd or chrony; touch files that are "
            "still in the future",
        )
    else:
        yield ok("the clock agrees with the files")


def _files(case: Case) -> Iterator[Path]:
    yield case.config
    yield from _exims(case)
    if case.loaded is None:
        return
    settings = case.loaded.settings
    state = file_of(settings.state.url)
    if state is not None:
        yield state
    if settings.log.rejections is not None:
        yield settings.log.rejections
    if settings.journal.dir is not None and settings.journal.dir.is_dir():
        yield from settings.journal.dir.iterdir()


def _exims(case: Case) -> Iterator[Path]:
    if case.absent:
        return
    yield from logs(case.exim)
    read, where = case.exim.config_file(), local_place()
    if read is not None:
        yield read
    if where is not None:
        yield from sources(where)
    if case.directory is not None:
        yield from files_of(case.directory)
