"""Does the daemon run, answer, and run what is installed?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eximacl import __version__
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning

# How the daemon's notes end about a setting that a reload cannot change.
RESTART = "takes effect when the daemon is restarted"


@diagnosis("daemon")
def daemon(case: Case) -> Iterator[Finding]:
    """The daemon answers in time, has the installed version, and runs with this policy file."""
    status = case.status
    if status is None:
        yield problem(
            f"the daemon does not answer: {case.silence}",
            "Exim goes on as EXIMACL_ON_FAILURE says, and nothing is refused",
            "systemctl reset-failed eximacl && systemctl restart eximacl; its log (journalctl -u eximacl) says why it "
            "stopped, hangs or fails to start",
        )
        return
    if status["version"] != __version__:
        yield warning(
            f"the daemon has version {status['version']}, but {__version__} is installed",
            "what was fixed since then is not in force",
            "systemctl restart eximacl",
        )
    if Path(status["config"]) != case.config.absolute():
        yield warning(
            f"the daemon runs {status['config']}, not {case.config}",
            "what is said here about the policy does not apply to it",
            f"give --config {status['config']}, or restart the daemon with the other",
        )
    for text in status.get("notes", ()):
        yield _noted(text)
    if case.daemon_user is None:
        yield warning(
            f"the user that the daemon runs as cannot be seen (process {status['pid']})",
            "whether it may read its policy and write its records is not known",
            "run the doctor on the daemon's own machine; `ss -xlp` shows which process listens at its socket",
        )
    yield ok(f"the daemon answers (version {status['version']}, up for {status['uptime']:.0f} s)")


def _noted(text: str) -> Finding:
    """Return what a note of the daemon means: a setting that needs a restart, or what may not be meant."""
    if text.endswith(RESTART):
        return warning(text, "the daemon still runs with the old value", "systemctl restart eximacl")
    return warning(text, "a check may do less, or more, than you expect", "change the policy, unless that is meant")
