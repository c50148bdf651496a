"""Is the policy file right, the one that runs, and the daemon's to read?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eximacl.doctor.access import USER, unreadable
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.doctor.unit import hidden, properties, unit_user


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
        yield warning(
            f"the daemon reports: {text}",
            "what it names is not used, or not as it is now",
            "what the report says; where it says nothing to do, correct what it names",
        )
    if refused and not closed:
        yield problem(
            f"the daemon keeps its old policy: {refused[0]}",
            "what has changed since then is not in force",
            "eximacl config test && eximacl reload",
        )
    if not refused and not closed:
        yield ok(f"{case.config} is OK")


def _unreadable(case: Case) -> Iterator[Finding]:
    """Yield each file of the policy that root can read and the daemon cannot."""
    found = properties()
    who = case.daemon_user or unit_user(found)
    if who is None or case.loaded is None:
        return
    for path, why in unreadable(who, case.loaded.files(), case.view):
        directory = hidden(path, found, case.view)
        if directory is not None:
            yield _hidden(path, directory)
            continue
        yield problem(
            f"the daemon may not read {path}: {why}",
            "its next reload or start fails; until then it keeps what it has",
            f"chgrp {USER} {path} && chmod g+r {path} (a directory: g+rx), or the group that the daemon runs in; "
            "then eximacl reload",
        )


def _hidden(path: Path, directory: Path) -> Finding:
    """Return what is wrong with a file that the daemon would be allowed to read, but cannot see."""
    return problem(
        f"the daemon does not see {path}: its unit hides {directory} (ProtectHome, PrivateTmp or the like)",
        "its next reload or start fails; until then it keeps what it has",
        "move the file to /etc/eximacl, and change the policy so that it names it there; then eximacl reload",
    )
