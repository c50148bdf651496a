"""Is the policy file right, the one that runs, and the daemon's to read?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.access import USER, Who, unreadable
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning


@diagnosis("daemon")
def policy(case: Case) -> Iterator[Finding]:
    """The policy file has no errors; the daemon can read it and its lists, and did not refuse it at the last reload."""
    if case.problems:
        yield problem(
            f"{case.config} has errors: {case.problems[0]}"
            + (f" (and {len(case.problems) - 1} more)" if case.problems[1:] else ""),
            "a running daemon keeps the policy that it has, and cannot be started with this one",
            "eximacl config test shows all errors",
        )
        return
    closed = list(_unreadable(case))
    yield from closed
    status = case.status or {}
    refused = list(status.get("refused", ()))
    for text in (each for each in status.get("problems", ()) if each not in refused):
        yield warning(f"the daemon reports: {text}", "what it names does not count", "correct what it names")
    if refused and not closed:
        yield problem(
            f"the daemon refused its new policy: {refused[0]}",
            "it keeps the old one",
            "eximacl config test && eximacl reload",
        )
    if not refused and not closed:
        yield ok(f"{case.config} is OK")


def _unreadable(case: Case) -> Iterator[Finding]:
    """Yield each file of the policy that root can read and the daemon cannot."""
    who = case.daemon_user or Who.of_account(USER)
    if who is None or case.loaded is None:
        return
    for path, why in unreadable(who, case.loaded.files(), case.view):
        yield problem(
            f"the daemon may not read {path}: {why}",
            "its next reload or start fails; until then it keeps what it has",
            f"chgrp {USER} {path} && chmod g+r {path} (a directory: g+rx), or the group that the daemon runs in; "
            "then eximacl reload",
        )
