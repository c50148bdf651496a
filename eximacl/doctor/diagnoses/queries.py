"""Does each stage's query arrive?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.doctor.sessions import CLIENT

# The default of EXIMACL_SKIP_HOSTS in `macros`; the doctor's clients are not relay hosts.
USUAL = "+relay_from_hosts"


@diagnosis("mail")
def queries(case: Case) -> Iterator[Finding]:
    """In a session of the doctor's, Exim asks at each stage: RCPT, DATA and the end; the early ones, if set."""
    if case.complaint or not case.settings or not case.acls.get("rcpt"):
        return
    session = case.sessions.accepted
    early = ("connect", "helo", "mail") if case.sessions.early else ()
    missing = [stage for stage in (*early, "rcpt", "end") if session.asked(stage) is None]
    if "rcpt" in missing:
        yield _unasked(case)
        return
    if missing:
        yield problem(
            f"Exim did not ask at: {', '.join(missing)}",
            "what these stages are for is not done",
            "see the lines about the wiring",
        )
    else:
        yield ok(f"Exim asks at: {', '.join((*early, 'rcpt', 'end'))}")
    yield from _data(case)


def _unasked(case: Case) -> Finding:
    session = case.sessions.accepted
    if session.stopped:
        return warning(
            f"whether Exim asks could not be tried: your own rules refuse the doctor's session: {session.stopped}",
            "they come before eximacl, so neither queries nor verdicts could be tried",
            f"exempt {CLIENT} from these rules to have it tried; `eximacl log` shows the decisions about real clients",
        )
    skip = case.settings.get("skip_hosts", USUAL)
    relay = case.relay_hosts
    return problem(
        f"Exim did not ask about a recipient; it said: {session.reply(3) or ' / '.join(session.replies)}",
        "nothing is refused",
        f"see the lines about the wiring and the snippets; if they are right: does EXIMACL_SKIP_HOSTS ({skip}) "
        f"include every client, even {CLIENT}? +relay_from_hosts is: {relay or 'empty'}",
    )


def _data(case: Case) -> Iterator[Finding]:
    session = case.sessions.message
    if session.asked("data") is not None:
        yield ok("Exim asks at: data, when the daemon wants that")
    elif session.reply(4).startswith("354"):
        yield problem(
            "Exim did not ask at DATA although the daemon wanted that",
            "messages are neither held nor counted",
            "see the lines about the wiring; your own DATA ACL comes first, and may have refused: " + session.reply(5),
        )
    else:
        yield warning(
            f"your own rules refuse {case.recipient}: {session.reply(3)}",
            "so DATA could not be tried; and mail to the postmaster should be accepted (RFC 5321, section 4.5.1)",
            f"have Exim accept mail for {case.recipient}",
        )
