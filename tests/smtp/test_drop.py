"""A reply that closes the connection: at each stage, on each kind of configuration, and what becomes of the rest."""

from __future__ import annotations

import pytest

from tests.lab import Site
from tests.lab.site import Kind
from tests.smtp.answers import DROP, HOLD, RESERVED, WANT_DATA, by
from tests.smtp.conftest import Labs
from tests.smtp.real import EACH_DAEMON
from tests.smtp.test_verdicts import EARLY, KINDS, SCRIPTS

pytestmark = EACH_DAEMON
START = """
    S: 220
    C: EHLO mx.example.net
    S: 250
    C: MAIL FROM:<a@example.net>
    S: 250
    """
REFUSED = "550 5.7.1 we do not want this (TESTTEST)"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", SCRIPTS)
def test_the_connection_ends_with_the_reply(labs: Labs, kind: Kind, stage: str) -> None:
    lab, daemon = labs(Site(kind, EARLY))
    before = len(lab.mainlog())
    daemon.answer = by(**{stage: DROP, "juha": WANT_DATA})
    with lab.client() as client:
        client.play(SCRIPTS[stage].format(reply=REFUSED))
        assert client.reply() == ""
    assert "why not" in lab.mainlog()[before:]


def test_an_accepted_recipient_is_tried_again_and_nothing_is_delivered_meanwhile(labs: Labs) -> None:
    lab, daemon = labs(Site())
    lab.deliver()
    before = len(lab.mailbox("steve"))
    daemon.answer = by(juha=DROP)
    with lab.client() as client:
        client.play(START + f"C: RCPT TO:<steve@example.org>\nS: 250\nC: RCPT TO:<juha@example.org>\nS: {REFUSED}")
        assert client.reply() == ""
    lab.deliver()
    assert len(lab.mailbox("steve")) == before
    lab.play(START + "C: RCPT TO:<steve@example.org>\nS: 250\nC: DATA\nS: 354\nC: Subject: x\nC:\nC: .\nS: 250")
    lab.deliver()
    assert len(lab.mailbox("steve")) == before + 1


def test_a_place_is_given_back(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(steve3count=RESERVED, juha=DROP)
    script = f"C: RCPT TO:<steve.3.count@example.org>\nS: 250\nC: RCPT TO:<juha@example.org>\nS: {REFUSED}"
    with lab.client() as client:
        client.play(START + script)
        assert client.reply() == ""
    daemon.wait("rcpt", "rcpt", "end")
    assert daemon.asked[-1]["why"] == "acl-drop"
    assert daemon.asked[-1]["tx"] == daemon.asked[0]["tx"]


def test_a_held_recipient_is_held_again_the_next_time(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(steve=HOLD, juha=DROP)
    script = f"C: RCPT TO:<steve@example.org>\nS: 250\nC: RCPT TO:<juha@example.org>\nS: {REFUSED}"
    with lab.client() as client:
        client.play(START + script)
        assert client.reply() == ""
    assert daemon.stages() == ["rcpt", "rcpt"]


def test_pipelined_commands_behind_it_are_not_answered(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(juha=DROP)
    with lab.client() as client:
        client.play("S: 220\nC: EHLO mx.example.net\nS: 250")
        client.send("MAIL FROM:<a@example.net>", "RCPT TO:<juha@example.org>", "RCPT TO:<steve@example.org>", "DATA")
        assert client.reply().startswith("250")
        assert client.reply() == REFUSED
        assert client.reply() == ""
    assert daemon.stages() == ["rcpt"]
