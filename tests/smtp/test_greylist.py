"""Greylisting through the real Exim: at RCPT, at DATA for bounces, and never in the way of a callback.

Nobody sleeps: the state file's first times are moved back, which is all that a clock would do to them.
"""

from __future__ import annotations

import re
import sqlite3
import uuid
from array import array
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import Daemon, Lab, Names, Site, reverse_zone

DELAY_MINUTES = 7
# Two hosts of one provider, one of another, and one without a name, in a network of its own.
OUT1, OUT2, OTHER, UNNAMED = "127.1.1.1", "127.1.2.1", "127.1.3.1", "127.1.4.1"
HOSTS = {OUT1: "out1.mail.example.net", OUT2: "out2.mail.example.net", OTHER: "mx.example.com"}
POLICY = """
[server]
socket = "{directory}/eximacl.sock"
mode = "0666"
[state]
url = "sqlite:state.db"
[log]
rejections = ""
[journal]
dir = ""
[dns]
servers = ["{dns}"]
[policy]
domains = ["example.org"]
order = ["disposable", "bad_recipient", "rdns", "greylist"]
[checks.disposable]
timezone = "UTC"
[checks.bad_recipient]
recipients = ["sales"]
[checks.greylist]
action = "defer"
delay_minutes = {delay}
{more}
"""
SUSPICIOUS = """
when = "suspicious"
suspicious = ["rdns"]
[checks.rdns]
action = "observe"
missing = "reject"
"""
LATER = "451 4.7.1 greylisted: please try again in 7 min"


@dataclass
class Greylisting:
    """An Exim whose daemon greylists."""

    lab: Lab
    directory: Path

    def send(
        self, sender: str, *recipients: str, source: str = OUT1, mark: str = "", header: tuple[str, ...] = ()
    ) -> list[str]:
        """Send a message to those recipients that are accepted at RCPT; return all replies from RCPT on."""
        with self.lab.client(source) as client:
            client.reply()
            client.ask("EHLO mx.example.net")
            client.ask(f"MAIL FROM:<{sender}>")
            replies = [client.ask(f"RCPT TO:<{recipient}>") for recipient in recipients]
            if any(reply.startswith("250") for reply in replies):
                assert client.ask("DATA").startswith("354")
                replies.append(client.ask(*header, f"Subject: {mark}", "", "text", "."))
            client.send("QUIT")
        return [reply.replace("\n", " ").partition(" (ref")[0].partition(" id=")[0] for reply in replies]

    def later(self, minutes: float = DELAY_MINUTES) -> None:
        """Have so many minutes pass, for all that the daemon has seen."""
        with closing(sqlite3.connect(self.directory / "state.db")) as db, db:
            db.execute("UPDATE seen SET since = since - ?, until = until - ?", (minutes * 60, minutes * 60))
            for key, events in db.execute("SELECT key, events FROM windows").fetchall():
                moved = array("d", events)
                db.execute(
                    "UPDATE windows SET events = ? WHERE key = ?",
                    (array("d", [at - minutes * 60 for at in moved]).tobytes(), key),
                )

    def seen(self) -> list[str]:
        """Return what the daemon remembers."""
        with closing(sqlite3.connect(self.directory / "state.db")) as db:
            return [key.decode() for (key,) in db.execute("SELECT key FROM seen ORDER BY key")]

    def said(self, mailbox: str, mark: str) -> list[list[str]]:
        """Return the X-Greylist lines of each marked message in a mailbox."""
        self.lab.deliver()
        marked = [message for message in self.lab.mailbox(mailbox) if message["Subject"] == mark]
        return [[str(line) for line in message.get_all("X-Greylist", [])] for message in marked]

    def delivered(self, mailbox: str, mark: str) -> int:
        """Return how many marked messages are in a mailbox."""
        self.lab.deliver()
        return sum(message["Subject"] == mark for message in self.lab.mailbox(mailbox))


@contextmanager
def greylisting(directory: Path, more: str = "") -> Iterator[Greylisting]:
    directory.mkdir()
    macros = {"EXIMACL_SOCKET": f"{directory}/eximacl.sock", "EXIMACL_ON_FAILURE": "defer", "EXIMACL_SKIP_HOSTS": ""}
    with Names(reverse_zone(HOSTS)) as names:
        config = directory / "eximacl.toml"
        config.write_text(POLICY.format(directory=directory, dns=names.address, delay=DELAY_MINUTES, more=more))
        with (
            Daemon(config, directory / "eximacl.sock", directory / "daemon.log"),
            Lab(Site(macros=macros), names=names) as lab,
        ):
            yield Greylisting(lab, directory)


@pytest.fixture(scope="module")
def shared_always(home: Path) -> Iterator[Greylisting]:
    with greylisting(home / "greylist") as running:
        yield running


@pytest.fixture(scope="module")
def shared_suspicious(home: Path) -> Iterator[Greylisting]:
    with greylisting(home / "greylist-suspicious", SUSPICIOUS) as running:
        yield running


def forget(running: Greylisting) -> Greylisting:
    with closing(sqlite3.connect(running.directory / "state.db")) as db, db:
        for table in ("seen", "windows"):
            db.execute(f"DELETE FROM {table}")
    return running


@pytest.fixture
def always(shared_always: Greylisting) -> Greylisting:
    """Who greylists everybody, with an empty memory."""
    return forget(shared_always)


@pytest.fixture
def suspicious(shared_suspicious: Greylisting) -> Greylisting:
    """Who greylists hosts without a name only, with an empty memory."""
    return forget(shared_suspicious)


STEVE, JUHA, ANN = "steve@example.org", "juha@example.org", "ann@example.net"
OK = "250 OK"
ACCEPTED = "250 Accepted"


def test_mail_is_put_off_at_rcpt_and_passes_later_from_another_host_of_its_provider(always: Greylisting) -> None:
    mark = uuid.uuid4().hex
    assert always.send(ANN, STEVE, mark=mark) == [LATER]
    always.later(DELAY_MINUTES - 1)
    assert always.send(ANN, STEVE, source=OUT2, mark=mark) == [LATER]
    always.later(1)
    assert always.send(ANN, STEVE, source=OUT2, mark=mark) == [ACCEPTED, OK]
    assert always.send(ANN, STEVE, source=OUT1, mark=mark) == [ACCEPTED, OK]
    assert always.delivered("steve", mark) == 2


def test_a_callback_is_accepted_and_leaves_nothing_behind(always: Greylisting) -> None:
    """A server that verifies an address begins a bounce and breaks off."""
    always.lab.play(
        f"""
        S: 220
        C: EHLO mx.example.net
        S: 250
        C: MAIL FROM:<>
        S: 250
        C: RCPT TO:<{STEVE}>
        S: 250
        C: RSET
        S: 250
        C: MAIL FROM:<>
        S: 250
        C: RCPT TO:<{JUHA}>
        S: 250
        C: QUIT
        S: 221
        """,
        OTHER,
    )
    assert always.seen() == []


def test_a_bounce_is_put_off_at_data_and_passes_later(always: Greylisting) -> None:
    mark = uuid.uuid4().hex
    assert always.send("", STEVE, mark=mark) == [ACCEPTED, LATER]
    assert always.send("", STEVE, mark=mark) == [ACCEPTED, LATER]
    assert always.delivered("steve", mark) == 0
    always.later()
    assert always.send("", STEVE, source=OUT2, mark=mark) == [ACCEPTED, OK]
    assert always.delivered("steve", mark) == 1


def test_each_of_two_recipients_waits_for_itself(always: Greylisting) -> None:
    mark = uuid.uuid4().hex
    assert always.send(ANN, STEVE, JUHA, mark=mark) == [LATER, LATER]
    always.later()
    assert always.send(ANN, STEVE, JUHA, mark=mark) == [ACCEPTED, ACCEPTED, OK]
    assert (always.delivered("steve", mark), always.delivered("juha", mark)) == (1, 1)


def test_a_recipient_that_has_passed_does_not_wait_for_one_that_has_not(always: Greylisting) -> None:
    mark = uuid.uuid4().hex
    always.send(ANN, STEVE)
    always.later()
    assert always.send(ANN, STEVE, JUHA, mark=mark) == [ACCEPTED, LATER, OK]
    assert (always.delivered("steve", mark), always.delivered("juha", mark)) == (1, 0)


def test_a_bounce_to_two_waits_once(always: Greylisting) -> None:
    mark = uuid.uuid4().hex
    assert always.send("", STEVE, JUHA, mark=mark) == [ACCEPTED, ACCEPTED, LATER]
    always.later()
    assert always.send("", STEVE, JUHA, mark=mark) == [ACCEPTED, ACCEPTED, OK]
    assert (always.delivered("steve", mark), always.delivered("juha", mark)) == (1, 1)


def test_a_refused_recipient_is_not_told_later(always: Greylisting) -> None:
    (reply,) = always.send(ANN, "sales@example.org")
    assert reply == "550 5.2.1 mail to sales not accepted here"
    assert always.seen() == []


def test_a_counted_address_keeps_no_place_while_its_mail_waits(always: Greylisting) -> None:
    counted = "steve.1.count@example.org"
    for sender, first in ((ANN, [LATER]), ("", [ACCEPTED, LATER])):
        assert always.send(sender, counted) == first
    always.later()
    assert always.send(ANN, counted) == [ACCEPTED, OK]
    (reply,) = always.send("", counted)
    assert reply.startswith(
        "550 5.2.1 mail to steve.1.count not accepted here: this address has reached its limit of 1"
    )


def test_another_client_waits_for_itself(always: Greylisting) -> None:
    always.send(ANN, STEVE)
    always.later()
    assert always.send(ANN, STEVE, source=OTHER) == [LATER]
    assert always.send(ANN, STEVE, source=UNNAMED) == [LATER]
    assert always.seen() == [
        f"greylist-waiting:127.1.4.0/24 {ANN} {STEVE}",
        f"greylist-waiting:example.com {ANN} {STEVE}",
        f"greylist-waiting:example.net {ANN} {STEVE}",
    ]


def test_who_has_delivered_in_three_hours_is_known(always: Greylisting) -> None:
    senders = [f"{name}@example.net" for name in ("one", "two", "three")]
    for sender in senders:
        assert always.send(sender, STEVE) == [LATER]
    always.later()
    for sender in senders:
        assert always.send(sender, STEVE) == [ACCEPTED, OK]
    assert always.send("four@example.net", JUHA, source=OUT2) == [LATER]
    for _ in range(2):
        always.later(60)
        assert always.send(senders[0], STEVE) == [ACCEPTED, OK]
    assert always.send("four@example.net", JUHA, source=OUT2) == [ACCEPTED, OK]
    assert always.send("", JUHA, source=OUT2) == [ACCEPTED, OK]


FORGED = ("X-Greylist: delayed 99:99:99 by forged.example", "x-greylist: and again")


@pytest.mark.parametrize("sender", [ANN, ""], ids=["mail", "bounce"])
def test_the_message_says_how_long_it_waited(always: Greylisting, sender: str) -> None:
    mark = uuid.uuid4().hex
    always.send(sender, STEVE, mark=mark, header=FORGED)
    always.later(62)
    assert always.send(sender, STEVE, mark=mark, header=FORGED)[-1] == OK
    ((line,),) = always.said("steve", mark)
    assert re.fullmatch(r"delayed 01:02:0[0-9] by [\w.-]+", line)


def test_what_did_not_wait_says_nothing_whatever_it_came_with(always: Greylisting) -> None:
    mark = uuid.uuid4().hex
    always.send(ANN, STEVE)
    always.later()
    always.send(ANN, STEVE)
    assert always.send(ANN, STEVE, mark=mark, header=FORGED) == [ACCEPTED, OK]
    assert always.said("steve", mark) == [[]]


@pytest.mark.parametrize("number", range(3))
def test_a_sender_that_changes_with_each_attempt_waits_once(always: Greylisting, number: int) -> None:
    first, second = [
        ("prvs=0787b0b1b2=ann@example.net", "prvs=0788c1c1c1=ann@example.net"),
        ("SRS0=HHH0=TT=partner.example=ann@example.net", "SRS0=GGG0=UU=partner.example=ann@example.net"),
        ("news-return-12-steve=example.org@example.net", "news-return-13-steve=example.org@example.net"),
    ][number]
    assert always.send(first, STEVE) == [LATER]
    always.later()
    assert always.send(second, STEVE) == [ACCEPTED, OK]


@pytest.mark.parametrize(("sender", "told"), [(ANN, [LATER]), ("", [ACCEPTED, LATER])], ids=["mail", "bounce"])
def test_only_the_suspicious_wait(suspicious: Greylisting, sender: str, told: list[str]) -> None:
    """At RCPT and at DATA: the check that observes runs at both."""
    assert suspicious.send(sender, STEVE, source=OUT1) == [ACCEPTED, OK]
    assert suspicious.seen() == []
    assert suspicious.send(sender, STEVE, source=UNNAMED) == told
    suspicious.later()
    assert suspicious.send(sender, STEVE, source=UNNAMED) == [ACCEPTED, OK]
