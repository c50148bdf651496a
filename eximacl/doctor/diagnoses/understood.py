"""Does the daemon understand what Exim asks?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem
from eximacl.protocol.client import DaemonError, ask


@diagnosis("daemon")
def understood(case: Case) -> Iterator[Finding]:
    """The daemon answers the query that Exim has just sent to the doctor; with `dry`, so that it is not counted."""
    query = case.sessions.accepted.asked("rcpt") if case.wired and case.status else None
    if query is None:
        return
    try:
        reply = ask(case.daemon_socket, query.rstrip(b"\n") + b" dry=1\n")
    except DaemonError as error:
        yield problem(f"the daemon did not answer Exim's query: {error}", "Exim takes it for absent", "see its log")
        return
    if reply.verdict == "error":
        yield problem(
            f"the daemon does not understand Exim's query: {reply.message}",
            "Exim takes that for a failure of the daemon",
            "eximacl exim install --reload, then systemctl restart eximacl: both must be of one version",
        )
        return
    yield ok(f"the daemon understands Exim's query about {case.recipient}: {reply.verdict}")
