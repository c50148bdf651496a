"""The router: a disposable address is delivered into its owner's mailbox, with the daemon up or down."""

from __future__ import annotations

import uuid

import pytest

from tests.lab import Lab, Site
from tests.lab.site import Kind
from tests.smtp.answers import RESERVED, by
from tests.smtp.conftest import Labs

KINDS: tuple[Kind, ...] = ("split", "unsplit", "plain")

DISPOSABLE = [
    "steve.3.count",
    "steve.count.3",
    "Steve.Count.3.x7k2m5qa",
    "steve.date.2026-10-20",
    "steve.1000.count.x7k2m5qa",
    "steve.date.20-10-2026",
    "steve.date.20-10-2026.x7k2m5qa",
    "STEVE.3.COUNT",
    '"steve.3.count"',
]
NOT_DISPOSABLE = [
    "ghost.3.count",
    "ghost.date.20-10-2026",
    "steve.count",
    "steve.x.count",
    "steve.3.count.short",
    "steve.3.count.x7k2m5q1",
    "steve.3.count.more.x7k2m5qa",
    "steve.date.tomorrow",
    ".3.count",
    "steve.3.counts",
]
UP = by(rcpt=RESERVED)
DOWN = by(rcpt="close")


def send(lab: Lab, localpart: str, mark: str, reply: str = "250") -> None:
    """Send one message to a localpart, whose RCPT gets `reply`."""
    message = f"C: DATA\nS: 354\nC: Subject: {mark}\nC:\nC: text\nC: .\nS: 250" if reply == "250" else ""
    lab.play(
        f"""
        S: 220
        C: EHLO mx.example.net
        S: 250
        C: MAIL FROM:<a@example.net>
        S: 250
        C: RCPT TO:<{localpart}@example.org>
        S: {reply}
        {message}
        """
    )


def found(lab: Lab, mailbox: str, mark: str) -> list[str]:
    """Return for whom the marked messages in a mailbox were meant."""
    lab.deliver()
    return [message["Envelope-to"] for message in lab.mailbox(mailbox) if message["Subject"] == mark]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("up", [True, False], ids=["daemon-up", "daemon-down"])
@pytest.mark.parametrize("localpart", DISPOSABLE)
def test_a_disposable_address_reaches_its_owner(labs: Labs, kind: Kind, up: bool, localpart: str) -> None:
    lab, daemon = labs(Site(kind, {"EXIMACL_COUNTED_ON_FAILURE": "accept"}))
    daemon.answer = UP if up else DOWN
    mark = uuid.uuid4().hex
    send(lab, localpart, mark)
    assert found(lab, "steve", mark) == [f"{localpart}@example.org"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("localpart", NOT_DISPOSABLE)
def test_an_unknown_owner_is_refused(labs: Labs, kind: Kind, localpart: str) -> None:
    lab, _ = labs(Site(kind))
    send(lab, localpart, "", "5" if localpart.startswith(".") else "550 Unrouteable address")


def test_a_message_on_its_way_is_delivered_after_the_daemon_died(labs: Labs) -> None:
    """Routing never asks the daemon: a place counted at DATA stays a message delivered."""
    lab, daemon = labs(Site())
    daemon.answer = UP
    mark = uuid.uuid4().hex
    send(lab, "steve.3.count", mark)
    daemon.answer = DOWN
    asked = len(daemon.asked)
    assert found(lab, "steve", mark) == ["steve.3.count@example.org"]
    assert len(daemon.asked) == asked


def test_other_domains_are_left_alone(labs: Labs) -> None:
    lab, _ = labs(Site(macros={"EXIMACL_DOMAINS": "example.com"}))
    send(lab, "steve.3.count", "", "550 Unrouteable address")


def test_separators_and_keywords_may_differ(labs: Labs) -> None:
    """With other separators and keywords in the policy, the pattern is set to match."""
    lab, daemon = labs(Site(macros={"EXIMACL_PATTERN_COUNTED": r"\N^(.+)-[0-9]+-times$\N"}))
    daemon.answer = UP
    mark = uuid.uuid4().hex
    send(lab, "steve-3-times", mark)
    assert found(lab, "steve", mark) == ["steve-3-times@example.org"]
    assert daemon.stages() == ["rcpt", "data"]
