"""Example messages through the lab's policy: at least one for each check, action and kind of address.

In order, on a new state, each gets the reply that stands beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.lab.exim import Lab

NO_NAME = "no reverse name"
# Who the clients are: their addresses and what these look up to. 127.0.0.1 itself is a relay host of Debian's.
CLIENTS = {
    "127.0.1.1": "mx.example.net",
    "127.0.1.2": "mail.example.com.br",
    "127.0.1.3": "mx.visa.example",
    "127.0.1.4": NO_NAME,
}
NAMES = {address: name for address, name in CLIENTS.items() if name != NO_NAME}
# Far enough for a test that runs around midnight, nearer than the policy's farthest_days.
DATED_DAYS = 30

_LOGGED = re.compile(r"eximacl: (\w+) \S+ .*\(ref=(\w+)\)")
_REF = re.compile(r"\(ref=(\w+)\)")


@dataclass(frozen=True)
class Mail:
    """One message. `reply` is how Exim's answer to it starts; `check` is the one that objected, or empty."""

    client: str
    sender: str
    recipient: str
    reply: str = "250"
    check: str = ""


@dataclass(frozen=True)
class Result:
    """What became of a message: the reply that decided, and the check that objected."""

    mail: Mail
    reply: str
    check: str

    @property
    def expected(self) -> bool:
        """Whether it went as it should."""
        return self.reply.startswith(self.mail.reply) and self.check == self.mail.check


def examples() -> list[Mail]:
    """Return the example messages. The dated ones depend on today."""
    later = (datetime.now(UTC) + timedelta(days=DATED_DAYS)).strftime("%d-%m-%Y")
    good, brazil, visa, unnamed = CLIENTS
    return [
        Mail(good, "ann@example.net", "steve@example.org"),
        Mail(visa, "ann@example.net", "steve+shop@example.org"),
        Mail(unnamed, "ann@example.net", "steve@example.org"),
        Mail(brazil, "ann@example.net", "steve@example.org", "550 5.7.1", "rdns_tld"),
        Mail(brazil, "ann@example.net", "postmaster@example.org"),
        Mail(brazil, "news@lists.example.net", "steve@example.org"),
        Mail(brazil, "ann@example.net", "steve@example.com", "451 4.7.1", "rdns_tld"),
        Mail(good, "ann@example.net", "ghost@example.org", "550 5.1.1", "valid_recipient"),
        Mail(good, "ann@example.net", "ghost@example.com", "550 5.1.1", "valid_recipient"),
        Mail(good, "ann@example.net", "sales@example.org", "550 5.2.1 we sell nothing any more", "bad_recipient"),
        Mail(good, "ann@example.net", "info99@example.org", "550 5.7.1", "localpart_pattern"),
        Mail(good, "hi@mail.social.example", "steve@example.org", "550 5.7.1", "sender_domain"),
        Mail(good, "hi@mail.social.example", "juha@example.com"),
        *[Mail(good, "ann@example.net", "steve.3.count@example.org")] * 3,
        Mail(good, "ann@example.net", "steve.3.count@example.org", "550 5.2.1", "disposable"),
        Mail(good, "ann@example.net", "ghost.3.count@example.org", "550", ""),
        Mail(good, "ann@example.net", f"juha.date.{later}@example.org"),
        Mail(good, "ann@example.net", "juha.date.31-12-2020@example.org", "550 5.2.1", "disposable"),
        Mail(good, "ann@example.net", "juha.date.31-02-2030@example.org", "550 5.1.1", "disposable"),
    ]


def send(lab: Lab, mail: Mail) -> Result:
    """Send one message and return what became of it."""
    before = len(lab.mainlog())
    message = ["Subject: an example", f"From: {mail.sender}", f"To: {mail.recipient}", "", "Hello.", "."]
    with lab.client(mail.client) as client:
        client.reply()
        client.ask(f"EHLO {CLIENTS[mail.client] if mail.client in NAMES else 'client.example'}")
        client.ask(f"MAIL FROM:<{mail.sender}>")
        reply = client.ask(f"RCPT TO:<{mail.recipient}>")
        if reply.startswith("250") and client.ask("DATA").startswith("354"):
            reply = client.ask(*message)
    found = _REF.search(reply)
    log = lab.logged(found[1], since=before) if found else ""
    logged = {reference: check for check, reference in _LOGGED.findall(log)}
    return Result(mail, reply, logged.get(found[1], "?") if found else "")
