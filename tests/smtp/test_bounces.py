"""Bounces through the real Exim: to recipients that never send, and with more than one recipient."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Daemon, Lab, Names, Site, reverse_zone

CLIENT = "127.1.1.1"
POLICY = """
[server]
socket = "{directory}/eximacl.sock"
mode = "0666"
[state]
url = "memory:"
[log]
rejections = ""
[journal]
dir = ""
[policy]
domains = ["example.org"]
order = ["valid_recipient", "bounce"]
[checks.valid_recipient]
recipients = ["steve", "juha", "news"]
[checks.bounce]
recipients = ["news"]
several = "defer"
"""
LATER = "451 4.5.3 a bounce has one recipient; please send this one a separate message"
NEVER = "550 5.7.1 news does not send mail"
UNKNOWN = "550 5.1.1 mail to ghost not accepted here"
ACCEPTED = "250 Accepted"


@pytest.fixture(scope="module")
def lab(home: Path) -> Iterator[Lab]:
    directory = home / "bounces"
    directory.mkdir()
    macros = {"EXIMACL_SOCKET": f"{directory}/eximacl.sock", "EXIMACL_ON_FAILURE": "defer", "EXIMACL_SKIP_HOSTS": ""}
    (directory / "eximacl.toml").write_text(POLICY.format(directory=directory))
    with (
        Names(reverse_zone({CLIENT: "mx.example.net"})) as names,
        Daemon(directory / "eximacl.toml", directory / "eximacl.sock", directory / "daemon.log"),
        Lab(Site(macros=macros), names=names) as running,
    ):
        yield running


def send(lab: Lab, sender: str, *localparts: str) -> list[str]:
    """Name these recipients, send the message to those that are accepted, and return the replies to RCPT."""
    with lab.client(CLIENT) as client:
        client.reply()
        client.ask("EHLO mx.example.net")
        client.ask(f"MAIL FROM:<{sender}>")
        replies = [client.ask(f"RCPT TO:<{localpart}@example.org>") for localpart in localparts]
        if ACCEPTED in replies:
            assert client.ask("DATA").startswith("354")
            assert client.ask("Subject: hello", "", "text", ".").startswith("250")
    return [reply.replace("\n", " ").partition(" (ref")[0] for reply in replies]


def received(lab: Lab, *localparts: str) -> list[int]:
    lab.deliver()
    return [len(lab.mailbox(localpart)) for localpart in localparts]


def test_a_second_recipient_of_a_bounce_gets_it_in_a_message_of_its_own(lab: Lab) -> None:
    before = received(lab, "steve", "juha")
    assert send(lab, "", "ghost", "steve", "juha", "steve") == [UNKNOWN, ACCEPTED, LATER, LATER]
    assert send(lab, "", "juha") == [ACCEPTED]
    assert received(lab, "steve", "juha") == [number + 1 for number in before]


def test_other_mail_has_as_many_recipients_as_it_likes(lab: Lab) -> None:
    assert send(lab, "ann@example.net", "steve", "juha", "news") == [ACCEPTED] * 3


def test_a_bounce_to_a_recipient_that_never_sends(lab: Lab) -> None:
    assert send(lab, "", "news", "steve") == [NEVER, ACCEPTED]
