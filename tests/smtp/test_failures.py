"""The daemon fails: what Exim's client sees is EXIMACL_ON_FAILURE, never a 5xx, and Exim's log says so."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, Responder, Site
from tests.lab.responder import Action
from tests.smtp.answers import ERROR, RESERVED, WANT_DATA, by
from tests.smtp.conftest import Labs

TIMEOUT_SECONDS = 1
MEGABYTE = 1_000_000
STAGES = ("connect", "helo", "mail", "rcpt", "data")
DEFER = "451 4.3.0 temporary local problem; please try again later"

FAULTS: dict[str, Action] = {
    "closes": "close",
    "resets": "reset",
    "hangs": "hang",
    "error": ERROR,
    "empty-line": b"\n",
    "garbage": b"what is this?\n",
    "binary": bytes(range(256)) + b"\n",
    "quotes": b'verdict="accept\n',
    "half-accept": b"verdict=accept code=250 rea",
    "half-reject": b"verdict=reject code=550 message=",
    "half-accept-line": b"verdict=accept\n",
    "other-verdict": b"verdict=perhaps code=250\n",
    "verdict-inside": b"code=250 verdict=accept\n",
    "two-lines": b"verdict=accept code=250\nverdict=reject code=550\n",
    "huge": b"x" * MEGABYTE + b"\n",
    "huge-accept": b"verdict=accept " + b"x" * MEGABYTE,
}
MACROS = {
    "EXIMACL_ASK_EARLY": "yes",
    "EXIMACL_TIMEOUT": f"{TIMEOUT_SECONDS}s",
}
DIALOGUE = {
    "connect": "S: {connect}",
    "helo": "C: EHLO mx.example.net\nS: {helo}",
    "mail": "C: MAIL FROM:<a@example.net>\nS: {mail}",
    "rcpt": "C: RCPT TO:<steve@example.org>\nS: {rcpt}",
    "data": "C: DATA\nS: 354\nC: Subject: hello\nC:\nC: text\nC: .\nS: {data}",
}
FINE = {"connect": "220", "helo": "250", "mail": "250", "rcpt": "250", "data": "250"}


def up_to(stage: str, reply: str) -> str:
    """Write the dialogue up to the stage that gets `reply`."""
    lines = [DIALOGUE[each] for each in STAGES[: STAGES.index(stage) + 1]]
    return "\n".join(lines).format(**{**FINE, stage: reply})


@pytest.mark.parametrize("policy", ["accept", "defer"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", ["rcpt", "data"])
def test_a_failing_daemon(labs: Labs, policy: str, fault: str, stage: str) -> None:
    lab, daemon = labs(Site(macros={**MACROS, "EXIMACL_ON_FAILURE": policy}))
    before = len(lab.mainlog())
    actions: dict[str, Action] = {"rcpt": WANT_DATA, stage: FAULTS[fault]}
    daemon.answer = by(**actions)
    lab.play(up_to(stage, "250" if policy == "accept" else DEFER))
    log = lab.logged(f"eximacl: no answer at {stage} from {daemon.path} for [127.0.0.2]: ", since=before)
    assert f"; {policy} ({stage} on failure)" in log
    assert max(len(line) for line in log.splitlines()) < 1000


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_has_its_own_setting(labs: Labs, stage: str) -> None:
    macros = {**MACROS, "EXIMACL_ON_FAILURE": "defer", f"EXIMACL_{stage.upper()}_ON_FAILURE": "accept"}
    lab, daemon = labs(Site(macros=macros))
    for each in STAGES:
        actions: dict[str, Action] = {"rcpt": WANT_DATA, each: "close"}
        daemon.answer = by(**actions)
        lab.play(up_to(each, FINE[each] if each == stage else "451 4.3.0" if each != "connect" else "451"))


@pytest.mark.parametrize("policy", ["accept", "defer"])
@pytest.mark.parametrize("kind", ["split", "unsplit", "plain"])
def test_a_daemon_that_is_not_there(labs: Labs, kind: str, policy: str) -> None:
    macros = {"EXIMACL_SOCKET": "/run/no-such/eximacl.sock", "EXIMACL_ON_FAILURE": policy}
    site = {"split": Site("split", macros), "unsplit": Site("unsplit", macros), "plain": Site("plain", macros)}[kind]
    lab, _ = labs(site)
    lab.play(up_to("rcpt", "250" if policy == "accept" else DEFER))
    lab.logged("eximacl: no answer at rcpt from /run/no-such/eximacl.sock")


COUNTED = "C: RCPT TO:<steve.3.count@example.org>\nS: {reply}\n"
MAIL = "C: MAIL FROM:<a@example.net>\nS: 250\n"
START = f"S: 220\nC: EHLO mx.example.net\nS: 250\n{MAIL}"


def test_a_counted_address_is_deferred_and_others_go_through(labs: Labs) -> None:
    """Without its count nobody can say whether a counted address is used up; a dated one needs none."""
    lab, daemon = labs(Site())
    daemon.answer = by(rcpt="close")
    lab.play(
        START
        + COUNTED.format(reply=DEFER)
        + "C: RCPT TO:<steve.date.31-12-2026@example.org>\nS: 250\nC: RCPT TO:<steve@example.org>\nS: 250"
    )


def test_a_counted_address_may_be_accepted_too(labs: Labs) -> None:
    lab, daemon = labs(Site(macros={"EXIMACL_COUNTED_ON_FAILURE": "accept"}))
    daemon.answer = by(rcpt="close")
    lab.play(START + COUNTED.format(reply="250") + "C: DATA\nS: 354\nC:\nC: .\nS: 250\n")


@pytest.mark.parametrize("fault", ["close", "hang", "reset"])
def test_a_message_with_a_kept_place_is_never_delivered_uncounted(labs: Labs, fault: Action) -> None:
    """Whatever EXIMACL_DATA_ON_FAILURE says; and the place is given back once the daemon answers again."""
    lab, daemon = labs(Site(macros={**MACROS, "EXIMACL_ON_FAILURE": "accept"}))
    daemon.answer = by(steve3count=RESERVED, data=fault)
    lab.play(START + COUNTED.format(reply="250") + f"C: DATA\nS: 354\nC:\nC: .\nS: {DEFER}\nC: QUIT\nS: 221\n")
    daemon.wait("connect", "helo", "mail", "rcpt", "data", "end")


def test_a_value_that_is_neither_accept_nor_defer_defers(labs: Labs) -> None:
    """A slip in a setting must not turn into a 5xx, nor pass unseen."""
    lab, daemon = labs(Site(macros={"EXIMACL_ON_FAILURE": "reject"}))
    daemon.answer = by(rcpt="close")
    lab.play(up_to("rcpt", DEFER))


def test_a_hung_daemon_costs_a_timeout_and_a_second(labs: Labs) -> None:
    lab, daemon = labs(Site(macros={**MACROS, "EXIMACL_ON_FAILURE": "accept"}))
    daemon.answer = by(rcpt="hang")
    with lab.client() as client:
        client.play(up_to("mail", "250"))
        started = time.monotonic()
        client.play("C: RCPT TO:<steve@example.org>\nS: 250")
        assert TIMEOUT_SECONDS <= time.monotonic() - started < TIMEOUT_SECONDS + 2


LONG_MESSAGE = "".join(f"C: line {number} {'x' * 60}\n" for number in range(2000))
# Exim opens its log of rejections with the first, and looks nothing up for this one.
REFUSED = "C: RCPT TO:<refused@example.org>\nS: 550\n"
REFUSING = "deny local_parts = refused\n"


@pytest.mark.parametrize("backlog", ["no-socket", "refused", "full"])
def test_a_daemon_that_cannot_be_reached_spoils_nothing(labs: Labs, home: Path, backlog: str) -> None:
    """Exim 4.96 keeps the number of a socket that it could not connect, and would use it for the next query.

    Then a query is written into Exim's log or into the message, and either is closed in the middle. So: several
    queries that cannot be put, with look-ups and log lines between, and a message that has to arrive whole.
    """
    path = home / f"{backlog}.sock"
    lab, _ = labs(Site(macros={"EXIMACL_SOCKET": str(path), "EXIMACL_ON_FAILURE": "accept", "EXIMACL_TIMEOUT": "1s"}))
    with unreachable(path, backlog):
        rcpts = "".join(
            f"C: RCPT TO:<{name}@example.org>\nS: {reply}\n"
            for name, reply in [("juha", "250"), ("steve.3.count", "451"), ("ghost", "550"), ("juha", "250")]
        )
        lab.deliver()
        before = len(lab.mailbox("juha"))
        message = f"C: DATA\nS: 354\nC: Subject: long\nC:\n{LONG_MESSAGE}C: .\nS: 250\n"
        lab.play(START + (rcpts + message + MAIL) * 2)
    lab.deliver()
    expected = LONG_MESSAGE.replace("C: ", "")
    assert [mail.get_payload() for mail in lab.mailbox("juha")[before:]] == [expected] * 2
    assert "tx=" not in lab.logs()
    assert "-- paniclog" not in lab.logs(), lab.logs()


def test_many_queries_to_a_daemon_that_is_not_there_spoil_nothing(labs: Labs) -> None:
    """More than the 25 files that Exim's look-ups hold open at once."""
    macros = {"EXIMACL_SOCKET": "/run/no-such/many.sock", "EXIMACL_ON_FAILURE": "accept"}
    lab, _ = labs(Site(macros=macros, rcpt_acl=REFUSING))
    message = f"C: DATA\nS: 354\nC: Subject: long\nC:\n{LONG_MESSAGE}C: .\nS: 250\n"
    lab.play(START + "C: RCPT TO:<steve@example.org>\nS: 250\n" * 40 + REFUSED + message + MAIL + REFUSED)
    check_nothing_is_spoilt(lab)


@contextlib.contextmanager
def unreachable(path: Path, how: str) -> Iterator[None]:
    """Have no socket at `path`, one that nobody listens on, or one whose queue of connections is full."""
    with contextlib.ExitStack() as stack:
        if how != "no-socket":
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(path))
            path.chmod(0o666)
            if how == "full":
                listener.listen(0)
                waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                waiting.connect(str(path))
        yield
        path.unlink(missing_ok=True)


def test_end_without_an_answer_holds_nothing_up(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(steve3count=RESERVED, end="close")
    lab.play(
        START + COUNTED.format(reply="250") + "C: RSET\nS: 250\n" + START.partition("250\n")[2] + "C: QUIT\nS: 221"
    )
    daemon.wait("rcpt", "end")


@pytest.mark.parametrize("length", [0, 106, 107], ids=["short", "longest-but-one", "longest"])
def test_a_daemon_that_dies_with_a_query_in_its_hands_spoils_nothing(labs: Labs, home: Path, length: int) -> None:
    """It takes the query and listens no more: Exim connects once, and never again.

    The first failure comes after a connection, those that follow before one; see the test above for what may be spoilt.
    """
    path = home / f"{'x' * max(length - len(f'{home}/.sock'), 5)}.sock"
    lab, _ = labs(Site(macros={"EXIMACL_SOCKET": str(path), "EXIMACL_ON_FAILURE": "accept", "EXIMACL_TIMEOUT": "1s"}))
    with Responder(path, by(juha="vanish")) as daemon:
        rcpts = [f"C: RCPT TO:<{name}@example.org>\nS: 250\n" for name in ("steve", "juha", "postmaster", "postmaster")]
        lab.play(START + "".join(rcpts) + f"C: DATA\nS: 354\nC: Subject: long\nC:\n{LONG_MESSAGE}C: .\nS: 250\n")
        assert daemon.stages() == ["rcpt", "rcpt"]
    lab.deliver()
    assert [mail.get_payload() for mail in lab.mailbox("steve")] == [LONG_MESSAGE.replace("C: ", "")]
    assert "v=1 tx=" not in lab.logs()
    assert "-- paniclog" not in lab.logs(), lab.logs()


def test_a_daemon_that_dies_again_and_again_spoils_nothing(labs: Labs, home: Path) -> None:
    """Each time it is back for one query: the numbers that Exim keeps are more than one."""
    path = home / "again.sock"
    macros = {"EXIMACL_SOCKET": str(path), "EXIMACL_ON_FAILURE": "accept", "EXIMACL_TIMEOUT": "1s"}
    lab, _ = labs(Site(macros=macros, rcpt_acl=REFUSING))
    with lab.client() as client:
        client.play(START)
        for _ in range(3):
            with Responder(path, lambda _: "vanish"):
                client.play("C: RCPT TO:<steve@example.org>\nS: 250\n")
        client.play(REFUSED)
        client.play(f"C: DATA\nS: 354\nC: Subject: long\nC:\n{LONG_MESSAGE}C: .\nS: 250\n")
        client.play(MAIL + REFUSED)
    check_nothing_is_spoilt(lab)


def check_nothing_is_spoilt(lab: Lab) -> None:
    """One long message was sent, and one recipient refused before it and one after."""
    lab.deliver()
    assert [mail.get_payload() for mail in lab.mailbox("steve")] == [LONG_MESSAGE.replace("C: ", "")]
    assert "tx=" not in lab.logs()
    assert (lab.log / "rejectlog").read_text().count("refused@example.org") == 2
    assert "-- paniclog" not in lab.logs(), lab.logs()


def test_a_counted_address_that_got_no_answer_is_ended(labs: Labs) -> None:
    """The daemon may have read the query after Exim gave up, and keep a place that nobody would give back."""
    lab, daemon = labs(Site())
    daemon.answer = by(steve3count="close")
    lab.play(START + COUNTED.format(reply=DEFER) + "C: QUIT\nS: 221")
    daemon.wait("rcpt", "end")
    assert daemon.asked[0]["tx"] == daemon.asked[1]["tx"]


def test_a_message_for_others_does_not_settle_it(labs: Labs) -> None:
    lab, daemon = labs(Site())
    daemon.answer = by(steve3count="close", juha=WANT_DATA)
    others = "C: RCPT TO:<juha@example.org>\nS: 250\nC: DATA\nS: 354\nC:\nC: .\nS: 250\n"
    lab.play(START + COUNTED.format(reply=DEFER) + others + "C: QUIT\nS: 221")
    daemon.wait("rcpt", "rcpt", "data", "end")
