"""Does each stage's query arrive?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.doctor.sessions import CLIENT

# What `macros` puts into EXIMACL_SKIP_HOSTS; the doctor's clients are no relay hosts of anyone's.
USUAL = "+relay_from_hosts"


@diagnosis("mail")
def queries(case: Case) -> Iterator[Finding]:
    """In a session of our own, Exim asks at each stage that it is to ask at: RCPT, DATA, the end; early, if set."""
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
            "what these stages are for does not happen",
            "see the lines about the wiring",
        )
    else:
        yield ok(f"Exim asks at: {', '.join((*early, 'rcpt', 'end'))}")
    yield from _data(case)


def _unasked(case: Case) -> Finding:
    session = case.sessions.accepted
    if session.stopped:
        return warning(
            f"it could not be tried whether Exim asks: your own rules refuse our session: {session.stopped}",
            "they come before eximacl; so neither what Exim asks nor what a verdict does could be tried",
            f"except {CLIENT} from these rules to have it tried; `eximacl log` shows what is decided about clients",
        )
    skip = case.settings.get("skip_hosts", USUAL)
    relay = case.relay_hosts
    return problem(
        f"Exim asked nothing about a recipient; it said: {session.reply(3) or ' / '.join(session.replies)}",
        "nothing is refused",
        f"see the lines about the wiring and the snippets; where they are well: does EXIMACL_SKIP_HOSTS ({skip}) "
        f"take in every client, {CLIENT}, too? +relay_from_hosts is: {relay or 'empty'}",
    )


def _data(case: Case) -> Iterator[Finding]:
    session = case.sessions.message
    if session.asked("data") is not None:
        yield ok("Exim asks at: data, when it is told to")
    elif session.reply(4).startswith("354"):
        yield problem(
            "Exim did not ask at DATA although it was told to",
            "messages are neither held nor counted",
            "see the lines about the wiring; your own DATA ACL comes first, and may have refused: " + session.reply(5),
        )
    else:
        yield warning(
            f"your own rules refuse {case.recipient}: {session.reply(3)}",
            "so DATA could not be tried; and mail to the postmaster should be taken (RFC 5321, section 4.5.1)",
            f"let Exim take mail for {case.recipient}",
        )
