"""Do the checks that spare known senders hear whom our users write to?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.config import Loaded
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, warning
from eximacl.policy.declare import declared
from eximacl.policy.plan import Step
from eximacl.protocol.client import DaemonError, ask_control


@diagnosis("mail")
def known_senders(case: Case) -> Iterator[Finding]:
    """If checks are to spare senders whom our users wrote to, Exim tells the daemon, and it has heard of some."""
    if not case.wired or case.loaded is None:
        return
    sparing = [step for step in _steps(case.loaded) if step.spare_known]
    noting = case.settings.get("note_sent") == "yes"
    wanted = [step.name for step in sparing if not _by_default(step)]
    if noting and not sparing:
        yield warning(
            "Exim tells the daemon whom users write to, but no check spares known senders",
            "each message of a user costs a query for nothing",
            "set spare_known = true for a check that runs, or remove EXIMACL_NOTE_SENT",
        )
    elif wanted and not noting:
        yield warning(
            f"spare_known is set for {', '.join(dict.fromkeys(wanted))}, but Exim does not say whom users write to",
            "nobody becomes a known sender",
            "set EXIMACL_NOTE_SENT = yes, above the .include of macros",
        )
    elif noting:
        yield from _heard(case)


def _steps(loaded: Loaded) -> Iterator[Step]:
    policy = loaded.policy
    for plan in (policy.base, *policy.overlays.values()):
        yield from plan.steps("rcpt")


def _by_default(step: Step) -> bool:
    """Whether a check spares known senders unless it is told not to, so that nobody need have wanted it."""
    declaration = declared(step.run)
    return declaration is not None and declaration.spare_known


def _heard(case: Case) -> Iterator[Finding]:
    try:
        answer = ask_control(case.daemon_socket, "known-senders", {})
    except DaemonError:  # another diagnosis says so
        return
    if isinstance(answer, dict) and answer.get("some"):
        yield ok("the daemon hears whom users write to")
    else:
        yield warning(
            "no user's mail to others was seen yet",
            "answers to your users are put off or refused like strangers' mail",
            "if users do send mail: they must be authenticated in this Exim, with an envelope sender in policy.domains",
        )
