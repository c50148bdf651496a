"""Has the running Exim read the configuration that is there now?"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, warning
from eximacl.exim_setup import SetupError, find_place
from eximacl.exim_setup.planning import configuration_files
from eximacl.exim_setup.reloading import daemon_pid

# The log's times have no fractions of a second.
LOG_SECONDS = 1.0
# As much of its end as is read: days of a small host, an hour of a busy one.
LOG_BYTES = 8 * 1024 * 1024


@diagnosis("exim")
def running(case: Case) -> Iterator[Finding]:
    """Exim's daemon runs, and was started after the last change of its configuration."""
    read = case.exim.config_file()
    if read is None or not read.exists():
        return
    newer = _newer_sources(read)
    if newer is not None:
        yield warning(
            f"{newer} is newer than {read}",
            "a change of the configuration is not in force yet",
            "update-exim4.conf && systemctl restart exim4",
        )
    pid_file = case.pid_file or Path(case.exim.options("pid_file_path").get("pid_file_path") or "/run/exim4/exim.pid")
    pid = daemon_pid(case.exim, pid_file)
    if pid is None:
        yield warning(
            f"no Exim daemon runs (by {pid_file})",
            "no mail comes in by SMTP, unless something else starts Exim for each connection",
            "systemctl start exim4; or name its pid file with --pid-file",
        )
        return
    macros = case.directory / "macros" if case.directory else read
    changed = max(path.stat().st_mtime for path in (read, macros) if path.exists())
    started = _started(case, pid_file, pid)
    if started + LOG_SECONDS <= changed:
        yield warning(
            "Exim's daemon was started before its configuration changed",
            "it goes on with what it read then, so what is said here of Exim is not yet true for it",
            "systemctl restart exim4",
        )
    else:
        yield ok("Exim's daemon runs with the configuration that is there now")


def _started(case: Case, pid_file: Path, pid: int) -> float:
    """Return when the daemon read its configuration: at its start, or at the last SIGHUP, which only its log tells."""
    last = pid_file.stat().st_mtime
    pattern = re.compile(rb"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d).* daemon started: pid=%d\b" % pid, re.MULTILINE)
    with contextlib.suppress(OSError), case.main_log.open("rb") as log:
        log.seek(max(0, case.main_log.stat().st_size - LOG_BYTES))
        for found in pattern.finditer(log.read(LOG_BYTES)):
            last = max(last, datetime.strptime(found[1].decode(), "%Y-%m-%d %H:%M:%S").timestamp())
    return last


def _newer_sources(read: Path) -> Path | None:
    """Return a file that was changed after the configuration was made of it."""
    try:
        place = find_place()
    except SetupError:
        return None
    made = read.stat().st_mtime
    if place.kind == "plain":
        return None
    return next((path for path in configuration_files(place) if path.stat().st_mtime > made + 1), None)
