"""What is asked when: a place that is kept is settled at DATA, or given back, whatever the client does."""

from __future__ import annotations

import pytest

from tests.lab import Site
from tests.lab.responder import ACCEPT, Action, Asked
from tests.smtp.answers import DEFER, REJECT, RESERVED, WANT_DATA, by
from tests.smtp.conftest import Labs

START = """
    S: 220
    C: EHLO mx.example.net
    S: 250
    """
RESERVE = """
    C: MAIL FROM:<a@example.net>
    S: 250
    C: RCPT TO:<steve.3.count@example.org>
    S: 250
    """
SEND = """
    C: DATA
    S: 354
    C: Subject: {subject}
    C:
    C: text
    C: .
    S: {reply}
    """
QUIT = """
    C: QUIT
    S: 221
    """
REFUSED = SEND.format(subject="refuse me at data", reply="550 refused by the site's own data ACL")
ACCEPTED = SEND.format(subject="hello", reply="250")
NEXT = """
    C: MAIL FROM:<b@example.net>
    S: 250
    C: RCPT TO:<juha@example.org>
    S: 250
    """
DROP = "X: drop\n"

# name: dialogue, the stages asked about, and why the end was asked
ROWS = {
    "accepted-at-data": (START + RESERVE + ACCEPTED + QUIT, "rcpt data", []),
    "accepted-then-dropped": (START + RESERVE + ACCEPTED + DROP, "rcpt data", []),
    "accepted-then-another": (START + RESERVE + ACCEPTED + NEXT + ACCEPTED + QUIT, "rcpt data rcpt", []),
    "twice-in-one-connection": (START + (RESERVE + ACCEPTED) * 2 + QUIT, "rcpt data rcpt data", []),
    "quit-after-rcpt": (START + RESERVE + QUIT, "rcpt end", ["quit"]),
    "dropped-after-rcpt": (START + RESERVE + DROP, "rcpt end", ["connection-lost"]),
    "dropped-within-data": (START + RESERVE + "C: DATA\nS: 354\nC: Subj\n" + DROP, "rcpt end", ["connection-lost"]),
    "refused-by-the-site-at-data": (START + RESERVE + REFUSED + QUIT, "rcpt end", ["quit"]),
    "refused-then-another": (START + RESERVE + REFUSED + NEXT + ACCEPTED + QUIT, "rcpt end rcpt", ["next"]),
    "refused-then-the-same": (
        START + RESERVE + REFUSED + RESERVE + ACCEPTED + QUIT,
        "rcpt end rcpt data",
        ["next"],
    ),
    "rset-then-quit": (START + RESERVE + "C: RSET\nS: 250\n" + QUIT, "rcpt end", ["quit"]),
    "rset-then-another": (START + RESERVE + "C: RSET\nS: 250\n" + NEXT + QUIT, "rcpt end rcpt", ["next"]),
    "ehlo-then-another": (START + RESERVE + "C: EHLO again\nS: 250\n" + NEXT + QUIT, "rcpt end rcpt", ["next"]),
    "rset-many-times": (
        START + (RESERVE + "C: RSET\nS: 250\n") * 3 + QUIT,
        "rcpt end rcpt end rcpt end",
        ["next", "next", "quit"],
    ),
    "nothing-kept": (START + NEXT + QUIT, "rcpt", []),
    "nothing-kept-and-dropped": (START + NEXT + DROP, "rcpt", []),
    "bad-commands": (START + RESERVE + "C: NOSUCH\nS: 500\n" * 3 + "C: NOSUCH\nS: 500\n", "rcpt end", ["bad-commands"]),
    "pipelined": (
        START
        + """
    C: MAIL FROM:<a@example.net>
    C: RCPT TO:<steve.3.count@example.org>
    C: RCPT TO:<juha@example.org>
    C: DATA
    S: 250
    S: 250
    S: 250
    S: 354
    C: Subject: one
    C:
    C: text
    C: .
    C: MAIL FROM:<a@example.net>
    C: RCPT TO:<steve.3.count@example.org>
    C: RSET
    C: MAIL FROM:<a@example.net>
    C: RCPT TO:<juha@example.org>
    C: QUIT
    S: 250
    S: 250
    S: 250
    S: 250
    S: 250
    S: 250
    S: 221
    """,
        "rcpt rcpt data rcpt end rcpt",
        ["next"],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_bookkeeping(labs: Labs, name: str) -> None:
    script, stages, why = ROWS[name]
    lab, daemon = labs(Site(main="smtp_max_unknown_commands = 3"))
    daemon.answer = by(steve3count=RESERVED)
    lab.play(script)
    daemon.wait(*stages.split())
    ends = [asked for asked in daemon.asked if asked.stage == "end"]
    assert [asked["why"] for asked in ends] == why
    reserved = {asked["tx"] for asked in daemon.asked if asked.values.get("rcpt") == "steve.3.count@example.org"}
    assert {asked["tx"] for asked in ends} <= reserved


def test_each_transaction_has_an_id_of_its_own(labs: Labs) -> None:
    lab, daemon = labs(Site())
    for _ in range(2):
        lab.play(START + NEXT + ACCEPTED + NEXT + "C: RSET\nS: 250\n" + NEXT)
    assert len({asked["tx"] for asked in daemon.asked}) == 6


def test_data_carries_all_that_exim_knows(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(steve=WANT_DATA, steve3count=RESERVED, postmaster=REJECT)
    lab.play(
        START
        + """
    C: MAIL FROM:<a@example.net>
    C: RCPT TO:<steve@example.org>
    C: RCPT TO:<postmaster@example.org>
    C: RCPT TO:<steve.3.count@example.org>
    C: RCPT TO:<juha@example.org>
    S: 250
    S: 250
    S: 550
    S: 250
    S: 250
    C: DATA
    S: 354
    C: From: A <a@example.net>
    C: Message-ID: <1@example.net>
    C: Subject: =?utf-8?Q?caf=C3=A9?= "quoted" \\
    C: X-Folded: one
    C: \ttwo
    C:
    C: text
    C: .
    S: 250
    """
    )
    asked = daemon.asked[-1]
    assert asked.stage == "data"
    assert asked["want"] == "data end"
    assert asked["rcpts"] == "steve@example.org, steve.3.count@example.org, juha@example.org"
    assert asked["from"] == "a@example.net"
    assert asked["message_id"] == "<1@example.net>"
    assert asked["subject"] == 'café "quoted" \\'
    assert "\nX-Folded: one\n\ttwo\n" in asked["headers"]
    assert asked["headers"].startswith("Received: from mx.example.net")
    assert len(asked["id"]) in (16, 23)  # longer since Exim 4.97
    assert int(asked["size"]) > 0


def test_the_end_is_asked_when_the_client_is_gone_before_the_250(labs: Labs) -> None:
    """Exim throws the message away then, which the daemon has counted by its accept."""
    lab, daemon = labs(Site())
    client = lab.client()

    def answer(asked: Asked) -> Action:
        if asked.stage == "data":
            client.close()
        return RESERVED if asked.stage == "rcpt" else ACCEPT

    daemon.answer = answer
    client.play(START + RESERVE + SEND.partition("S: {reply}")[0].format(subject="hello"))
    daemon.wait("rcpt", "data", "end")
    assert daemon.asked[2]["why"] == "connection-lost"
    assert daemon.asked[2]["tx"] == daemon.asked[0]["tx"]


def test_long_subjects_and_message_ids_are_cut(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(juha=WANT_DATA)
    folded = "".join(f"C:  {'x' * 900}\n" for _ in range(5))
    lab.play(f"{START}{NEXT}C: DATA\nS: 354\nC: Subject: x\n{folded}C: Message-ID: x\n{folded}C:\nC: .\nS: 250")
    asked = daemon.asked[-1]
    assert (len(asked["subject"]), len(asked["message_id"])) == (1000, 1000)
    assert len(asked["headers"]) > 9000


@pytest.mark.parametrize("answer", [REJECT, DEFER], ids=["reject", "defer"])
def test_a_place_is_given_back_when_the_daemon_itself_refuses_at_data(labs: Labs, answer: Action) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(steve3count=RESERVED, data=answer)
    lab.play(START + RESERVE + SEND.format(subject="hello", reply="5" if answer is REJECT else "4") + QUIT)
    daemon.wait("rcpt", "data", "end")


def test_the_sites_data_acl_runs_when_nobody_wants_data(labs: Labs) -> None:
    lab, daemon = labs(Site())
    lab.play(START + NEXT + REFUSED)
    assert daemon.stages() == ["rcpt"]


def test_no_place_is_kept_for_a_recipient_that_the_site_refuses(labs: Labs) -> None:
    """A counted address is asked about last: another recipient's message must not use its place."""
    lab, daemon = labs(Site(rcpt_acl="deny local_parts = steve.3.count\n     message = the site says no\n"))
    lab.play(START + "C: MAIL FROM:<a@example.net>\nS: 250\nC: RCPT TO:<steve.3.count@example.org>\nS: 550 the site\n")
    assert daemon.stages() == []


def test_data_in_chunks_is_asked_about_too(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(steve3count=RESERVED, data=REJECT)
    lab.play(START + RESERVE + "C: BDAT 21 LAST\nC: Subject: hello\nC:\nC: x\nS: 550 5.7.1 we do not want this\n")
    daemon.wait("rcpt", "data", "end")


QUERIES = [
    ("connect", {"ip", "port", "host", "host_failed", "host_deferred", "local_ip", "local_port"}, set()),
    ("helo", set(), {"helo"}),
    ("mail", set(), {"from", "tls"}),
    ("rcpt", set(), {"tx", "rcpt", "count", "accepted"}),
    ("data", set(), {"rcpts", "want", "id", "size", "message_id", "subject", "headers"}),
]


def test_every_query_carries_what_was_known_before(labs: Labs) -> None:
    """The contract with the daemon: which keys each stage sends."""
    lab, daemon = labs(Site(macros={"EXIMACL_ASK_EARLY": "yes"}))
    daemon.answer = by(steve3count=RESERVED)
    lab.play(START + RESERVE + ACCEPTED)
    known = {"v"}
    for asked, (stage, first, added) in zip(daemon.asked, QUERIES, strict=True):
        known |= first | added
        assert asked.stage == stage
        assert set(asked.values) == known - ({"rcpt", "count", "accepted"} if stage == "data" else set())


CLIENT_NAMES = [
    ("127.0.0.2", "mx.example.net", "0", "0"),
    ("127.0.0.3", "mail.example.com.br", "0", "0"),
    ("127.0.0.4", "", "1", "0"),
    ("127.0.0.5", "", "0", "1"),
    ("127.0.0.6", "", "0", "1"),
]


@pytest.mark.parametrize(("source", "host", "failed", "deferred"), CLIENT_NAMES, ids=[row[0] for row in CLIENT_NAMES])
@pytest.mark.parametrize("kind", ["split", "plain"])
def test_no_reverse_name_and_no_answer_are_different_facts(
    labs: Labs, kind: str, source: str, host: str, failed: str, deferred: str
) -> None:
    lab, daemon = labs(Site("plain" if kind == "plain" else "split"))
    lab.play(START + NEXT, source)
    asked = daemon.asked[0]
    assert (asked["ip"], asked["host"], asked["host_failed"], asked["host_deferred"]) == (
        source,
        host,
        failed,
        deferred,
    )
    assert (asked["local_ip"], int(asked["local_port"])) == lab.server
