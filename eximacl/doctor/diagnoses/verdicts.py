"""Do verdicts take effect?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem


@diagnosis("mail")
def verdicts(case: Case) -> Iterator[Finding]:
    """In sessions of the doctor's, a reject becomes a 550 and a defer a 451, at each stage."""
    sessions = case.sessions
    if not case.wired or sessions.accepted.asked("rcpt") is None:
        return
    done = {"reject at RCPT": sessions.rejected.said(550), "defer at RCPT": sessions.deferred.said(451)}
    if sessions.message.asked("data") is not None:
        done["reject at DATA"] = sessions.message.said(550)
    if sessions.early:
        for stage in ("connect", "helo", "mail"):
            done[f"reject at {stage.upper()}"] = sessions.refused_at(stage).said(550)
    failed = [name for name, effective in done.items() if not effective]
    if failed:
        yield problem(
            f"verdicts without effect: {', '.join(failed)}",
            "what the policy refuses is accepted all the same",
            "see the lines about the wiring and the snippets",
        )
    else:
        yield ok(f"verdicts take effect: {', '.join(done)}")
