"""When Exim's daemon has read its configuration, and how it was called.

At SIGHUP the daemon starts itself again under its old process id, and leaves its pid file alone (Exim 4.96): only its
log says so, in the time zone of the log. Only regular files are read, so that a FIFO in their place blocks nobody.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from eximacl.exim import Exim
from eximacl.system.files import open_regular

# The kernel's default limit for a command line (execve(2)).
ARGUMENTS_BYTES = 2 * 1024 * 1024
# How much of a log's end is read: days of a small host, an hour of a busy one.
LOG_BYTES = 8 * 1024 * 1024
# Where Debian's syslog daemons put the facility `mail`.
SYSLOG_FILES = (Path("/var/log/mail.log"), Path("/var/log/syslog"))
# In a file of syslog's, its own date stands before Exim's; the log selectors +millisec, +log_timezone and +pid add
# more.
_STARTED = (
    r"(?:^|: )(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)?(?: ([+-]\d{4}))?(?: \[\d+\])?"
    r" exim \S+ daemon started: pid=%d\b"
)


def arguments(process: Path) -> list[str]:
    """Return the command line of a process (/proc/PID), without the program; empty where it is gone."""
    try:
        with (process / "cmdline").open("rb") as file:
            return file.read(ARGUMENTS_BYTES).decode(errors="replace").split("\0")[1:-1]
    except OSError:
        return []


def main_logs(exim: Exim) -> list[Path]:
    """Return the files of Exim's main log; a name may have a date in it, as %D or %M."""
    return [Path(part.replace("%s", "main")) for part in _log_parts(exim) if part.startswith("/")]


def _log_parts(exim: Exim) -> list[str]:
    named = exim.options("log_file_path").get("log_file_path", "") or "/var/log/exim4/%slog"
    return [part.strip() for part in named.split(":")]


def logs(exim: Exim) -> list[Path]:
    """Return the files with Exim's main log, the newest last, rotated and dated ones included."""
    found: list[Path] = []
    for path in main_logs(exim):
        dated = re.sub(r"%[DM]", "[0-9]*", path.name)
        there = sorted(path.parent.glob(dated)) if dated != path.name else [path]
        found += [path.with_name(f"{path.name}.1"), *there[-2:]]
    if "syslog" in _log_parts(exim):
        found += [each for path in SYSLOG_FILES for each in (path.with_name(f"{path.name}.1"), path)]
    return [path for path in found if path.is_file()]


def started(exim: Exim, pid_file: Path, pid: int) -> float:
    """Return when the daemon read its configuration, in seconds since 1970: its start, or the last SIGHUP logged."""
    zone = _zone(exim)
    pattern = re.compile((_STARTED % pid).encode(), re.MULTILINE)
    times = [pid_file.stat().st_mtime]
    for path in logs(exim):
        times += (_moment(found, zone) for found in pattern.finditer(_end_of(path)))
    return max(times)


def _moment(found: re.Match[bytes], zone: tzinfo | None) -> float:
    if found[2]:
        return datetime.strptime(f"{found[1].decode()} {found[2].decode()}", "%Y-%m-%d %H:%M:%S %z").timestamp()
    return datetime.strptime(found[1].decode(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone).timestamp()


def _zone(exim: Exim) -> tzinfo | None:
    """Return the time zone of Exim's log; None: the system's."""
    named = exim.options("timezone").get("timezone", "")
    with contextlib.suppress(KeyError, ValueError, OSError):
        return ZoneInfo(named) if named else None
    return None


def _end_of(path: Path) -> bytes:
    try:
        with open_regular(path) as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - LOG_BYTES))
            return log.read(LOG_BYTES)
    except OSError:
        return b""


def overrides(words: list[str]) -> Iterator[str]:
    """Yield the arguments that give Exim another configuration or other macros than its own."""
    for number, word in enumerate(words):
        if word in ("-C", "-D"):
            yield " ".join(words[number : number + 2])
        elif word.startswith(("-C", "-D")):
            yield word
