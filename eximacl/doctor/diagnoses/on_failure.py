"""What happens when the daemon is away: are the words right?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning

KNOWN = ("accept", "defer")


@diagnosis("exim")
def on_failure(case: Case) -> Iterator[Finding]:
    """EXIMACL_ON_FAILURE and the like are `accept` or `defer`; any other word counts as `defer`."""
    words = case.setting("on_failure")
    if not words:
        return
    wrong = {stage: word for stage, word in words.items() if word not in KNOWN}
    for stage, word in wrong.items():
        yield problem(
            f"EXIMACL_{stage.upper()}_ON_FAILURE (or EXIMACL_ON_FAILURE) is {word!r}",
            f"without the daemon, Exim defers all mail at {stage}",
            "set it to accept or defer, above the .include of macros",
        )
    if words.get("counted") == "accept":
        yield warning(
            "EXIMACL_COUNTED_ON_FAILURE is accept",
            "without the daemon, a counted address accepts any number of messages",
            "leave it at defer",
        )
    if not wrong:
        yield ok(f"without the daemon, Exim goes on with: {words.get('rcpt', '')} at RCPT")
