"""Making a running Exim read its new configuration. Rule: a process is signalled only when it is Exim's daemon."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from eximacl.exim.program import Exim
from eximacl.system import paths
from eximacl.system.files import read_regular

PROC = Path("/proc")
# A number and a newline.
PID_BYTES_MAX = 32


def daemon_pid(exim: Exim, pid_file: Path | None = None, proc: Path = PROC) -> int | None:
    """Return the process id of Exim's daemon; None where its pid file names no Exim that runs."""
    named = pid_file or Path(exim.options("pid_file_path").get("pid_file_path") or paths.EXIM_PID)
    try:
        pid = int(read_regular(named, PID_BYTES_MAX))
        program = str((proc / str(pid) / "exe").readlink())
    except (OSError, ValueError):
        return None
    # The kernel marks a program that an upgrade has replaced since.
    return pid if Path(program.removesuffix(" (deleted)")) == exim.path.resolve() else None


def reload_exim(exim: Exim, pid_file: Path | None = None) -> int | None:
    """Send SIGHUP to Exim's daemon, which then starts itself anew (Exim specification, section 3.3).

    Returns its process id, None where no daemon runs. Sessions that are open go on with the old configuration.
    """
    pid = daemon_pid(exim, pid_file)
    if pid is not None:
        os.kill(pid, signal.SIGHUP)
    return pid
