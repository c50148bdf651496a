"""Is the policy file right, and the one that runs?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem


@diagnosis("daemon")
def policy(case: Case) -> Iterator[Finding]:
    """The policy file has no errors, and the daemon refused none of it at its last reload."""
    if case.problems:
        yield problem(
            f"{case.config} is wrong: {case.problems[0]}"
            + (f" (and {len(case.problems) - 1} more)" if case.problems[1:] else ""),
            "the daemon goes on with the policy that it has, and cannot be started again with this one",
            "eximacl config test shows all of it",
        )
        return
    if case.status and case.status["problems"]:
        yield problem(
            f"the daemon refused its new policy: {case.status['problems'][0]}",
            "it goes on with the old one",
            "eximacl config test && eximacl reload",
        )
        return
    yield ok(f"{case.config} is right")
