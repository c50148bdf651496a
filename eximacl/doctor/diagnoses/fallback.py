"""What do clients get when the daemon is away?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem


@diagnosis("mail")
def fallback(case: Case) -> Iterator[Finding]:
    """In a session without a daemon, Exim does what EXIMACL_RCPT_ON_FAILURE says: never a 5xx."""
    if not case.wired or case.sessions.accepted.asked("rcpt") is None:
        return
    accepted, alone = case.sessions.accepted.reply(3), case.sessions.alone.reply(3)
    word = case.setting("on_failure").get("rcpt", "")
    expected = accepted[:3] if word == "accept" else "451"
    if alone.startswith(expected):
        yield ok(f"without the daemon, Exim goes on: {word} at RCPT ({alone[:3]})")
        return
    yield problem(
        f"without the daemon, Exim says {alone or 'nothing'!r} at RCPT, not {expected}",
        "while the daemon is away, mail is refused or lost"
        if alone.startswith("5")
        else "while the daemon is away, mail is not treated as configured",
        "see the lines about the snippets; if they are of this version, report a bug",
    )
