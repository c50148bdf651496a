"""Are our own hosts and users left alone?"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, warning
from eximacl.doctor.sessions import CLIENT, CLIENTS


@diagnosis("mail")
def skipped(case: Case) -> Iterator[Finding]:
    """In sessions of the doctor's, Exim asks about strangers, but not about relay hosts and authenticated clients."""
    if not case.wired:
        return
    yield from _strangers(case)
    relay = relay_host(case)
    asked = case.sessions.from_client(relay).queries if relay else ()
    if asked:
        yield warning(
            f"Exim asks about the relay host {relay}",
            "the mail of your own hosts is judged, and may be refused",
            "leave EXIMACL_SKIP_HOSTS at +relay_from_hosts, or add your own hosts to it",
        )
    elif relay:
        yield ok(f"Exim does not ask about relay hosts ({relay})")
    if case.sessions.from_client(CLIENT, "-oMaa", "doctor").asked("rcpt") is not None:
        yield warning(
            "Exim asks about authenticated clients",
            "the mail of your own users is judged, and may be refused",
            "use rcpt.acl as it is shipped: eximacl exim install",
        )
    else:
        yield ok("Exim does not ask about authenticated clients")


def _strangers(case: Case) -> Iterator[Finding]:
    """Yield whether Exim asks about clients from different networks, except those that its own rules refuse."""
    held = {client: case.sessions.from_client(client) for client in CLIENTS}
    tried = [client for client, session in held.items() if session.asked("rcpt") or not session.stopped]
    passed = [client for client in tried if held[client].asked("rcpt") is None]
    if passed and len(passed) < len(tried):
        yield warning(
            f"Exim does not ask about {', '.join(passed)}",
            "mail from there, and from all else in EXIMACL_SKIP_HOSTS, is not judged",
            f"correct EXIMACL_SKIP_HOSTS, which is {case.settings.get('skip_hosts', '')}, "
            f"or relay_from_hosts, which is {case.relay_hosts}",
        )
    elif tried and not passed:
        yield ok(f"Exim asks about strangers ({', '.join(tried)})")


def relay_host(case: Case) -> str:
    """Return the first single address of Exim's relay_from_hosts; empty where there is none."""
    listed = case.relay_hosts
    # Exim specification, section 6.21: a colon in an item is doubled, unless the list names a separator of its own.
    items = listed[2:].split(listed[1]) if re.match(r"<\S", listed) else re.split(r"(?<!:):(?!:)", listed)
    for item in items:
        try:
            return str(ipaddress.ip_address((item if listed.startswith("<") else item.replace("::", ":")).strip()))
        except ValueError:
            continue
    return ""
