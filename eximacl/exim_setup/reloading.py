"""Making a running Exim read its new configuration. Rule: a process is signalled only when it is Exim's daemon."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from eximacl.exim_setup.program import Exim

PROC = Path("/proc")


def daemon_pid(exim: Exim, pid_file: Path | None = None) -> int | None:
    """Return the process id of Exim's daemon; None where its pid file names no Exim that runs."""
    named = pid_file or Path(exim.options("pid_file_path").get("pid_file_path") or "/run/exim4/exim.pid")
    try:
        pid = int(named.read_text().strip())
        name = (PROC / str(pid) / "comm").read_text().strip()
    except (OSError, ValueError):
        return None
    return pid if name.startswith("exim") else None


def reload_exim(exim: Exim, pid_file: Path | None = None) -> int | None:
    """Send SIGHUP to Exim's daemon, which then starts itself anew (Exim specification, section 3.3).

    Returns its process id, None where no daemon runs. Sessions that are open go on with the old configuration.
    """
    pid = daemon_pid(exim, pid_file)
    if pid is not None:
        os.kill(pid, signal.SIGHUP)
    return pid
