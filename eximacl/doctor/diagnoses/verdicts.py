"""Do verdicts take effect?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem


@diagnosis("mail")
def verdicts(case: Case) -> Iterator[Finding]:
    """In a session of our own, a reject becomes a 550 and a defer a 451, at each stage."""
    if not case.wired or case.sessions.recipients.asked("rcpt") is None:
        return
    session = case.sessions.recipients
    done = {"reject at RCPT": session.said(550), "defer at RCPT": session.said(451)}
    if case.sessions.message.asked("data") is not None:
        done["reject at DATA"] = case.sessions.message.said(550)
    if case.sessions.early:
        for stage in ("connect", "helo", "mail"):
            done[f"reject at {stage.upper()}"] = case.sessions.refused_at(stage).said(550)
    failed = [name for name, effective in done.items() if not effective]
    if failed:
        yield problem(
            f"without effect: {', '.join(failed)}",
            "what the policy refuses is taken all the same",
            "see the lines about the wiring and the snippets",
        )
    else:
        yield ok(f"verdicts take effect: {', '.join(done)}")
