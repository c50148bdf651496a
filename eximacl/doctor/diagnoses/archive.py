"""Can held messages be kept?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eximacl.doctor.access import refusal
from eximacl.doctor.case import Case
from eximacl.doctor.diagnoses.records import writable
from eximacl.doctor.model import Finding, diagnosis, ok, problem
from eximacl.system import paths


@diagnosis("disk")
def archive(case: Case) -> Iterator[Finding]:
    """If there is an archive, the daemon can write to it, and read Exim's spool, from which messages are copied."""
    if case.loaded is None or case.loaded.settings.archive.dir is None:
        return
    yield from writable(case, "archive.dir", case.loaded.settings.archive.dir, "directory")
    named = case.exim.options("spool_directory").get("spool_directory", "")
    who = case.daemon_user
    if not named or who is None:
        return
    spool = Path(named)
    path = spool / "input"
    if not path.exists():  # Exim makes it with the first message
        path = spool
    why = refusal(who, path, "read", case.view)
    if why:
        yield problem(
            f"the daemon may not read Exim's spool: {why}",
            "held messages are refused without being kept",
            "put the daemon's user into the spool's group (Debian-exim); "
            f"Debian's package: as {paths.ARCHIVE_UNIT_PART} says",
        )
    else:
        yield ok(f"the daemon can read Exim's spool, {path}")
