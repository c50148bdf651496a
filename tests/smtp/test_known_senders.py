"""An authenticated user writes to somebody, and the answer is not put off: through the real Exim."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from eximacl.daemon.sent import NEW_A_DAY_MAX, RECIPIENTS_MAX
from tests.lab import Daemon, Lab, Names, Site, reverse_zone
from tests.lab.waiting import until

USER, PARTNER = "127.0.0.2", "127.1.1.1"
POLICY = """
[server]
socket = "{directory}/eximacl.sock"
mode = "0666"
[state]
url = "sqlite:state.db"
[log]
rejections = ""
[journal]
dir = "journal"
[dns]
servers = ["{dns}"]
[policy]
domains = ["example.org", "off.example"]
order = ["sender_domain", "greylist"]
[checks.greylist]
action = "defer"
[checks.sender_domain]
domains = ["bad.example"]
{more}
"""
LATER = "451 4.7.1 greylisted: please try again in 5 min"
ACCEPTED = "250 Accepted"
AUTH = "AUTH PLAIN AHVzZXIAc2VjcmV0"


class Office(NamedTuple):
    """An Exim whose users write to others and get answers."""

    lab: Lab
    directory: Path

    def write(self, sender: str, *recipients: str, auth: bool = True) -> str:
        """Send mail as a user; return the last reply."""
        with self.lab.client(USER) as client:
            client.reply()
            client.ask("EHLO laptop.example.org")
            if auth:
                assert client.ask(AUTH).startswith("235")
            client.ask(f"MAIL FROM:<{sender}>")
            for recipient in recipients:
                assert client.ask(f"RCPT TO:<{recipient}>").startswith("250")
            assert client.ask("DATA").startswith("354")
            reply = client.ask("Subject: hello", "", "text", ".")
            client.send("QUIT")
        return reply

    def answer(self, sender: str, recipient: str = "steve@example.org") -> str:
        """Return the reply to RCPT of mail from outside."""
        with self.lab.client(PARTNER) as client:
            client.reply()
            client.ask("EHLO mx.partner.example")
            client.ask(f"MAIL FROM:<{sender}>")
            reply = client.ask(f"RCPT TO:<{recipient}>")
            client.send("QUIT")
        return reply.replace("\n", " ").partition(" (ref")[0]

    def journal(self) -> bytes:
        """Return all that has been recorded so far."""
        return b"".join(path.read_bytes() for path in (self.directory / "journal").glob("*.mpk"))

    def noted(self) -> list[str]:
        """Return whom the state knows."""
        with closing(sqlite3.connect(self.directory / "state.db")) as db:
            rows = db.execute("SELECT key FROM seen WHERE key >= ? AND key < ? ORDER BY key", (b"sent:", b"sent;"))
            return [key.decode() for (key,) in rows]


@contextmanager
def office(directory: Path, note: str = "yes", more: str = "") -> Iterator[Office]:
    directory.mkdir()
    macros = {"EXIMACL_SOCKET": f"{directory}/eximacl.sock", "EXIMACL_SKIP_HOSTS": "", "EXIMACL_NOTE_SENT": note}
    with Names(reverse_zone({PARTNER: "mx.partner.example"})) as names:
        config = directory / "eximacl.toml"
        config.write_text(POLICY.format(directory=directory, dns=names.address, more=more))
        with (
            Daemon(config, directory / "eximacl.sock", directory / "daemon.log"),
            Lab(Site(macros=macros), names=names) as lab,
        ):
            yield Office(lab, directory)


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[Office]:
    with office(home / "known") as made:
        yield made


def test_an_answer_is_not_put_off(running: Office) -> None:
    assert running.answer("ann@partner.example") == LATER
    assert running.write("steve@example.org", "ann@partner.example").startswith("250")
    assert running.noted() == ["sent:example.org:ann@partner.example"]
    for sender in (
        "ann@partner.example",
        "Ann@Partner.Example",
        "ann+work@partner.example",
        "prvs=0787b0b1b2=ann@partner.example",
        "SRS0=HHH0=TT=partner.example=ann@forwarder.example",
    ):
        assert running.answer(sender, "juha@example.org") == ACCEPTED
    assert running.answer("eve@partner.example") == LATER


def test_who_is_refused_for_another_reason_is_refused(running: Office) -> None:
    running.write("steve@example.org", "ann@bad.example")
    assert running.answer("ann@bad.example").startswith("550 5.7.1")


def test_nothing_of_it_is_recorded(running: Office) -> None:
    running.write("steve@example.org", "private@partner.example")
    running.answer("later@partner.example")
    until(lambda: b"later@partner.example" in running.journal(), "the record of what came after it")
    assert b"private@partner.example" not in running.journal()
    assert b"private@partner.example" not in (running.directory / "daemon.log").read_bytes()


def test_strangers_cannot_make_themselves_known(running: Office) -> None:
    before = running.noted()
    running.write("someone@elsewhere.example", "eve@partner.example")
    running.write("steve@example.org", "juha@example.org")
    assert running.noted() == before


def test_all_recipients_of_a_message(running: Office) -> None:
    before = set(running.noted())
    running.write("steve@example.org", "b1@partner.example", "B2+x@partner.example", "juha@example.org")
    assert set(running.noted()) - before == {
        "sent:example.org:b1@partner.example",
        "sent:example.org:b2@partner.example",
    }


def test_too_many_recipients_are_nobodys_correspondents(running: Office) -> None:
    before = running.noted()
    running.write("steve@example.org", *(f"r{number}@partner.example" for number in range(101)))
    assert running.noted() == before


def test_a_stolen_account_under_many_names_is_one_user(home: Path) -> None:
    """Exim says who is logged in, whatever envelope sender they choose."""
    with office(home / "known-stolen") as running:
        for number in range(NEW_A_DAY_MAX // RECIPIENTS_MAX + 1):
            strangers = (f"r{number}-{each}@partner.example" for each in range(RECIPIENTS_MAX))
            assert running.write(f"name{number}@example.org", *strangers).startswith("250")
        assert len(running.noted()) == NEW_A_DAY_MAX
        assert running.answer(f"r{number}-0@partner.example") == LATER
        assert running.answer("r0-0@partner.example") == ACCEPTED


def test_other_checks_spare_them_where_they_are_told_to(home: Path) -> None:
    with office(home / "known-all", more="spare_known = true") as running:
        assert running.answer("ann@bad.example").startswith("550")
        running.write("steve@example.org", "ann@bad.example")
        assert running.answer("ann@bad.example") == ACCEPTED


def test_nothing_is_noted_unless_exim_is_told_to(home: Path) -> None:
    with office(home / "known-not", note="no") as running:
        assert running.write("steve@example.org", "ann@partner.example").startswith("250")
        assert running.noted() == []
        assert running.answer("ann@partner.example") == LATER


def test_users_mail_does_not_depend_on_the_daemon(home: Path) -> None:
    with office(home / "known-dead") as running:
        (running.directory / "eximacl.sock").unlink()
        assert running.write("steve@example.org", "ann@partner.example").startswith("250")
