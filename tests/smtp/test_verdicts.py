"""Each verdict at each stage, on the three kinds of configuration: what Exim's client and its log see."""

from __future__ import annotations

import pytest

from eximacl.protocol.exim import Reply
from tests.lab import Site
from tests.lab.responder import Action
from tests.lab.site import Kind
from tests.smtp.answers import DEFER, HOLD, REJECT, WANT_DATA, at, by
from tests.smtp.conftest import Labs

EARLY = {"EXIMACL_ASK_EARLY": "yes"}
KINDS: tuple[Kind, ...] = ("split", "unsplit", "plain")

OBJECTIONS = [
    pytest.param(REJECT, "550 5.7.1 we do not want this (TESTTEST)", "why not", id="reject"),
    pytest.param(DEFER, "451 4.7.1 come back later (TESTTEST)", "not yet", id="defer"),
    pytest.param(HOLD, "550 5.7.1 we keep this (TESTTEST)", "held", id="hold"),
]

# Where each stage's objection is seen; … stands for the rest of Exim's own texts.
SCRIPTS = {
    "connect": "S: {reply}",
    "helo": """
        S: 220
        C: EHLO mx.example.net
        S: {reply}
        """,
    "mail": """
        S: 220
        C: EHLO mx.example.net
        S: 250
        C: MAIL FROM:<a@example.net>
        S: {reply}
        """,
    "rcpt": """
        S: 220
        C: EHLO mx.example.net
        S: 250
        C: MAIL FROM:<a@example.net>
        S: 250
        C: RCPT TO:<steve@example.org>
        S: {reply}
        """,
    "data": """
        S: 220
        C: EHLO mx.example.net
        S: 250
        C: MAIL FROM:<a@example.net>
        S: 250
        C: RCPT TO:<juha@example.org>
        S: 250
        C: DATA
        S: 354
        C: Subject: hello
        C:
        C: text
        C: .
        S: {reply}
        """,
}
ACCEPTED = """
    S: 220
    C: EHLO mx.example.net
    S: 250
    C: MAIL FROM:<a@example.net>
    S: 250
    C: RCPT TO:<steve@example.org>
    S: 250
    C: DATA
    S: 354
    C: Subject: hello
    C:
    C: text
    C: .
    S: 250
    """


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", SCRIPTS)
@pytest.mark.parametrize(("action", "reply", "log"), OBJECTIONS)
def test_an_objection_reaches_client_and_log(
    labs: Labs, kind: Kind, stage: str, action: Action, reply: str, log: str
) -> None:
    if (action, stage) == (HOLD, "rcpt"):
        reply = "250"  # for now: test_hold.py tells what becomes of it at DATA
    lab, daemon = labs(Site(kind, EARLY))
    before = len(lab.mainlog())
    daemon.answer = by(**{stage: action, "juha": WANT_DATA})
    lab.play(SCRIPTS[stage].format(reply=reply))
    assert daemon.stages()[-1] == stage
    lab.logged(log, since=before)


@pytest.mark.parametrize("kind", KINDS)
def test_no_objection_is_one_query_and_a_delivered_message(labs: Labs, kind: Kind) -> None:
    lab, daemon = labs(Site(kind))
    lab.deliver()
    before = len(lab.mailbox("steve"))
    lab.play(ACCEPTED)
    assert daemon.stages() == ["rcpt"]
    lab.deliver()
    assert len(lab.mailbox("steve")) == before + 1


@pytest.mark.parametrize("kind", KINDS)
def test_early_stages_are_asked_where_the_macro_says_so(labs: Labs, kind: Kind) -> None:
    lab, daemon = labs(Site(kind, EARLY))
    lab.play(ACCEPTED)
    assert daemon.stages() == ["connect", "helo", "mail", "rcpt"]


def test_recipients_of_one_message_have_their_own_fates(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(steve=REJECT, juha=DEFER)
    lab.play(
        """
        S: 220
        C: EHLO mx.example.net
        S: 250
        C: MAIL FROM:<a@example.net>
        C: RCPT TO:<steve@example.org>
        C: RCPT TO:<juha@example.org>
        C: RCPT TO:<postmaster@example.org>
        C: RCPT TO:<ghost@example.org>
        C: DATA
        S: 250
        S: 550 5.7.1 we do not want this
        S: 451 4.7.1 come back later
        S: 250
        S: 550 Unrouteable address
        S: 354
        C: Subject: hello
        C:
        C: text
        C: .
        S: 250
        """
    )
    assert [asked["rcpt"] for asked in daemon.asked] == [
        f"{name}@example.org" for name in ("steve", "juha", "postmaster", "ghost")
    ]
    assert [asked["count"] for asked in daemon.asked] == ["1", "2", "3", "4"]
    assert [asked["accepted"] for asked in daemon.asked] == ["0", "0", "0", "1"]
    assert len({asked["tx"] for asked in daemon.asked}) == 1


def test_the_sites_own_acl_still_rules(labs: Labs) -> None:
    """Our accept is no acceptance: relaying stays refused, and an inner discard or defer works."""
    lab, daemon = labs(
        Site(
            rcpt_acl="""
            discard local_parts = juha
            defer   local_parts = steve
                    message = the site's own greylisting
            """
        )
    )
    lab.play(
        """
        S: 220
        C: EHLO mx.example.net
        S: 250
        C: MAIL FROM:<a@example.net>
        S: 250
        C: RCPT TO:<someone@elsewhere.example>
        S: 550 relay not permitted
        C: RCPT TO:<steve@example.org>
        S: 451 the site's own greylisting
        C: RCPT TO:<steve.3.count@example.org>
        S: 250
        C: RCPT TO:<juha@example.org>
        S: 250
        C: RSET
        S: 250
        C: MAIL FROM:<a@example.net>
        S: 250
        C: RCPT TO:<juha@example.org>
        S: 250
        C: DATA
        S: 354
        C: Subject: hello
        C:
        C: text
        C: .
        S: 250
        """
    )
    lab.deliver()
    assert lab.mailbox("juha") == []
    assert daemon.stages() == ["rcpt"] * 5


RELAYS = [
    pytest.param("127.0.0.99", "EHLO relay.example.org", id="relay-host"),
    pytest.param("127.0.0.2", "AUTH PLAIN AHVzZXIAc2VjcmV0", id="authenticated"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("source", "command"), RELAYS)
def test_our_own_clients_are_never_asked_about(labs: Labs, kind: Kind, source: str, command: str) -> None:
    lab, daemon = labs(Site(kind))
    daemon.answer = at("rcpt", REJECT)
    lab.play(
        f"""
        S: 220
        C: EHLO client.example.org
        S: 250
        C: {command}
        S: 2
        C: MAIL FROM:<steve@example.org>
        S: 250
        C: RCPT TO:<someone@elsewhere.example>
        S: 250
        C: RCPT TO:<steve.3.count@example.org>
        S: 250
        C: DATA
        S: 354
        C: Subject: hello
        C:
        C: text
        C: .
        S: 250
        """,
        source,
    )
    assert daemon.stages() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_relay_host_is_not_asked_about_early_either(labs: Labs, kind: Kind) -> None:
    lab, daemon = labs(Site(kind, EARLY))
    lab.play(ACCEPTED, source="127.0.0.99")
    assert daemon.stages() == []


def test_an_authenticated_client_is_not_asked_about_at_mail(labs: Labs) -> None:
    lab, daemon = labs(Site("split", EARLY))
    script = ACCEPTED.replace("C: MAIL", "C: AUTH PLAIN AHVzZXIAc2VjcmV0\n    S: 235\n    C: MAIL")
    lab.play(script)
    assert daemon.stages() == ["connect", "helo"]


def test_mail_that_comes_by_no_network_is_not_asked_about(labs: Labs) -> None:
    lab, daemon = labs(Site("split", EARLY))
    commands = "EHLO x\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<steve@example.org>\r\nQUIT\r\n"
    assert "250 Accepted" in lab.run("/usr/sbin/exim4", "-bs", text=commands)
    assert daemon.stages() == []


def test_no_client_is_skipped_where_the_macro_names_none(labs: Labs) -> None:
    lab, daemon = labs(Site(macros={"EXIMACL_SKIP_HOSTS": ""}))
    lab.play(ACCEPTED, source="127.0.0.99")
    assert daemon.stages() == ["rcpt"]


def test_a_reference_is_in_one_line_however_long_the_text(labs: Labs) -> None:
    """Exim folds a reply at blanks, after some 75 characters. People search for the reference in a bounce."""
    reference = "(ref=7KQ2M9D4)"
    lengths = range(20, 120)
    texts = {length: f"5.7.1 {'mail to x ' * 12}"[:length].rstrip() for length in lengths}
    replies = {
        f"a{length}": Reply("reject", 550, message=f"{texts[length]} {reference}", log="no") for length in lengths
    }
    lab, daemon = labs(Site("split"))
    daemon.answer = by(**replies)
    with lab.client() as client:
        client.reply()
        client.ask("EHLO mx.example.net")
        client.ask("MAIL FROM:<a@example.net>")
        found = [client.ask(f"RCPT TO:<a{length}@example.org>") for length in lengths]
        client.ask("QUIT")
    assert any("\n" in reply for reply in found)
    assert [reply for reply in found if reference not in reply] == []
