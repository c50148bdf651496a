"""Has the running Exim read the configuration that is there now?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.exim.startup import arguments, logs, overrides, started

# The log's times have no fractions of a second.
LOG_SECONDS = 1.0


@diagnosis("exim")
def running(case: Case) -> Iterator[Finding]:
    """Exim's daemon runs, without options for another configuration, and was started after the last change of it."""
    read = case.exim.config_file()
    if read is None or not read.exists():
        return
    pid = case.exim_pid
    if pid is None:
        yield problem(
            f"no Exim daemon runs (according to {case.exim_pid_file})",
            "no mail comes in by SMTP, unless something else starts Exim for each connection",
            "systemctl start exim4; or name its pid file with --pid-file",
        )
        return
    given = list(overrides(arguments(case.proc / str(pid))))
    if given:
        yield warning(
            f"Exim's daemon was started with {' '.join(given)}",
            "it runs with another configuration than the one examined here",
            "remove that from /etc/default/exim4 or the unit (systemctl cat exim4), then systemctl restart exim4",
        )
    macros = case.directory / "macros" if case.directory else read
    changed = max(path.stat().st_mtime for path in (read, macros) if path.exists())
    if started(case.exim, case.exim_pid_file, pid) + LOG_SECONDS > changed:
        yield ok("Exim's daemon runs with the present configuration")
        return
    doubt = "" if logs(case.exim) else "; no log was found here that says whether it was reloaded since then (SIGHUP)"
    yield warning(
        f"Exim's daemon was started before its configuration changed{doubt}",
        "it runs with what it read then, so what is said here about Exim does not apply to it yet",
        "systemctl restart exim4",
    )
