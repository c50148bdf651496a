"""A held recipient through Exim: accepted at RCPT, refused at DATA with what the daemon says, one fate for all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from eximacl.protocol.exim import Reply
from tests.lab import Site
from tests.lab.daemons import EXIM, binds
from tests.lab.responder import ACCEPT, Action
from tests.smtp.answers import DEFER, HOLD, REJECT, by
from tests.smtp.conftest import Labs
from tests.smtp.real import EACH_DAEMON

pytestmark = EACH_DAEMON
MAIL = """
    S: 220
    C: EHLO mx.example.net
    S: 250
    C: MAIL FROM:<a@example.net>
    S: 250
    """
HELD = "C: RCPT TO:<held@example.org>\nS: 250\n"
GOOD = "C: RCPT TO:<steve@example.org>\nS: 250\n"
ALONE = "S: 451 4.5.3 please send this recipient a separate message\n"
DATA = """
    C: DATA
    S: 354
    C: Subject: =?utf-8?q?J=C3=BCrgen?=
    C: Message-ID: <one@example.net>
    C:
    C: text
    C: .
    """
QUIT = "C: QUIT\nS: 221\n"
KEPT = HOLD._replace(want="data", extra={"check": "some_check", "sentence": "Mail for held not accepted"})
REFUSED = Reply("reject", 550, "some-reason", "TESTTEST", message="5.7.1 we keep this (TESTTEST)", log="kept")


def data_answer(action: Action) -> object:
    return by(held=KEPT, held2=KEPT, data=action)


def test_held_until_data_and_refused_there(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = data_answer(REFUSED)  # type: ignore[assignment]
    lab.play(MAIL + HELD + DATA + "S: 550 5.7.1 we keep this (TESTTEST)\n" + QUIT)
    daemon.wait("rcpt", "data")
    asked = daemon.asked[-1]
    assert asked["held"] == "TESTTEST"
    assert asked["held_reason"] == "some-reason"
    assert asked["held_check"] == "some_check"
    assert asked["held_message"] == "5.7.1 we keep this (TESTTEST)"
    assert asked["held_sentence"] == "Mail for held not accepted"
    assert asked["rcpts"] == "held@example.org"
    assert asked["spool"] == "/var/spool/exim4"
    assert asked["subject"] == "Jürgen"
    assert asked["headers"].endswith("Message-ID: <one@example.net>\n")
    assert len(asked["id"]) in (16, 23)  # longer since Exim 4.97


@pytest.mark.parametrize(
    ("script", "stages"),
    [
        pytest.param(HELD + "C: RCPT TO:<steve@example.org>\n" + ALONE, "rcpt rcpt", id="good after held"),
        pytest.param(GOOD + "C: RCPT TO:<held@example.org>\n" + ALONE, "rcpt rcpt", id="held after good"),
        pytest.param(HELD + "C: RCPT TO:<held2@example.org>\nS: 250\n", "rcpt rcpt", id="two held"),
        pytest.param(HELD + "C: RCPT TO:<bad@example.org>\nS: 550\n", "rcpt rcpt", id="a reject stays one"),
        pytest.param(HELD + "C: RCPT TO:<later@example.org>\nS: 451 4.7.1\n", "rcpt rcpt", id="a defer stays one"),
        pytest.param(GOOD + "C: RSET\nS: 250\nC: MAIL FROM:<b@example.net>\nS: 250\n" + HELD, "rcpt rcpt", id="RSET"),
    ],
)
def test_one_transaction_one_fate(labs: Labs, script: str, stages: str) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(held=KEPT, held2=KEPT, bad=REJECT, later=DEFER)
    lab.play(MAIL + script + QUIT)
    daemon.wait(*stages.split())


@pytest.mark.parametrize("answer", [b"", b"nonsense\n", b"verdict=acc"], ids=["nothing", "garbage", "half"])
@pytest.mark.parametrize("recipient", ["lost@example.org", "steve.3.count@example.org"], ids=["any", "counted"])
def test_nobody_joins_a_held_message_without_an_answer(labs: Labs, recipient: str, answer: bytes) -> None:
    """With `accept` on failure, a good recipient would have the held message delivered to all of them."""
    lab, daemon = labs(Site(macros={"EXIMACL_ON_FAILURE": "accept", "EXIMACL_COUNTED_ON_FAILURE": "accept"}))
    daemon.answer = lambda asked: (
        REFUSED if asked.stage == "data" else KEPT if asked.values.get("rcpt", "").startswith("held") else answer
    )
    script = f"C: RCPT TO:<{recipient}>\n" + ALONE + DATA + "S: 550 5.7.1 we keep this (TESTTEST)\n"
    lab.play(MAIL + HELD + script + QUIT)


def test_a_place_kept_beside_a_held_recipient_is_given_back(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = lambda asked: (
        KEPT if asked.values.get("rcpt", "").startswith("held") else ACCEPT._replace(want="data end")
    )
    lab.play(MAIL + HELD + "C: RCPT TO:<steve.3.count@example.org>\n" + ALONE + QUIT)
    daemon.wait("rcpt", "rcpt", "end")
    assert daemon.asked[-1]["tx"] == daemon.asked[0]["tx"]


def test_after_a_held_message_the_next_is_as_ever(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = lambda asked: (
        REFUSED if asked.stage == "data" else KEPT if asked.values.get("rcpt", "").startswith("held") else ACCEPT
    )
    again = "C: MAIL FROM:<b@example.net>\nS: 250\n" + GOOD + DATA + "S: 250\n"
    lab.play(MAIL + HELD + DATA + "S: 550\n" + again + QUIT)
    daemon.wait("rcpt", "data", "rcpt")


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(ACCEPT, id="accept"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"nonsense\n", id="garbage"),
        pytest.param(DEFER, id="defer"),
    ],
)
def test_a_held_message_is_never_accepted(labs: Labs, action: Action) -> None:
    lab, daemon = labs(Site())
    daemon.answer = data_answer(action)  # type: ignore[assignment]
    lab.play(MAIL + HELD + DATA + "S: 451\n" + QUIT)


def test_a_held_recipient_need_not_exist(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(ghost=KEPT, data=REFUSED)
    lab.play(MAIL + "C: RCPT TO:<ghost@example.org>\nS: 250\n" + DATA + "S: 550 5.7.1 we keep this\n" + QUIT)
    daemon.wait("rcpt", "data")


def test_the_exim_is_the_one_asked_for(labs: Labs, exim: str) -> None:
    """Otherwise this whole module would say nothing about the heavy one."""
    lab, _ = labs(Site())
    program = next(iter(binds()), Path(EXIM))
    assert lab.run("sha256sum", EXIM).split()[0] == hashlib.sha256(program.read_bytes()).hexdigest()
    assert exim != "heavy" or "Content_Scanning" in lab.run(EXIM, "-bV")
