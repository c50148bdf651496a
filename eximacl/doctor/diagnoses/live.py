"""Does the Exim that listens answer?"""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, warning

# Exim may look up the client's name first, which takes less than this.
SMTP_SECONDS = 20.0


@diagnosis("mail")
def live(case: Case) -> Iterator[Finding]:
    """The listening Exim greets us and accepts a recipient, which is reset with RSET.

    A recipient is named only where Exim does not ask about our own address, so that the daemon does not notice.
    """
    if case.smtp is None:
        return
    host, port = case.smtp
    try:
        with smtplib.SMTP(host, port, case.sessions.recipient.rpartition("@")[2], timeout=SMTP_SECONDS) as client:
            client.ehlo()
            code, text = client.mail("")
            assert client.sock is not None  # it is connected
            recipient = not case.wired or not case.sessions.from_client(client.sock.getsockname()[0]).queries
            if recipient:
                code, text = client.rcpt(case.recipient)
            client.rset()
    except (OSError, smtplib.SMTPException) as error:
        yield warning(
            f"{host}:{port} does not talk SMTP with us: {error}",
            "no mail can come in there",
            "start Exim, or name where it listens with --smtp HOST:PORT",
        )
        return
    if code in (250, 251):
        yield ok(
            f"{host}:{port} accepts {case.recipient if recipient else 'a sender; for more it would ask the daemon'}"
        )
    else:
        yield warning(
            f"{host}:{port} does not accept mail for {case.recipient}: {code} {text.decode(errors='replace')}",
            "mail to the postmaster should be accepted (RFC 5321, section 4.5.1)",
            "see Exim's log",
        )
