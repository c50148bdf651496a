"""Disposable addresses through the real Exim and the real daemon: what the delivered message says, how a user ends an
address, and what a flood of new ones comes to."""

from __future__ import annotations

import base64
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest

from eximacl.policy.places import KnownAddress
from eximacl.state import SqliteState
from tests.cli.running import eximacl
from tests.lab import Daemon, Lab, Site
from tests.lab.daemons import chosen
from tests.smtp.real import EACH_DAEMON

pytestmark = EACH_DAEMON
CLIENT = "127.0.0.2"
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
servers = ["127.0.0.1"]
[policy]
domains = ["example.org"]
order = ["disposable"]
[checks.disposable]
timezone = "UTC"
largest_count = 1000
"""
MAIL = "C: MAIL FROM:<a@example.net>\nS: 250\n"
HEADER = "X-Eximacl-Disposable"


class World(NamedTuple):
    """An Exim, its daemon, and the directory of both."""

    lab: Lab
    daemon: Daemon
    directory: Path

    def known(self, address: str) -> KnownAddress | None:
        kind = "dated" if ".date." in address else "counted"
        with closing(SqliteState(self.directory / "state.db")) as state:
            return state.known(f"{kind}:{address}", time.time())

    def delivered(self, mailbox: str, subject: str) -> list[Message]:
        self.lab.deliver()
        return [message for message in self.lab.mailbox(mailbox) if message["Subject"] == subject]


@contextmanager
def world(directory: Path, policy: str = POLICY) -> Iterator[World]:
    directory.mkdir()
    (directory / "eximacl.toml").write_text(policy.format(directory=directory))
    socket = directory / "eximacl.sock"
    macros = {"EXIMACL_SOCKET": str(socket), "EXIMACL_TIMEOUT": "5s"}
    site = Site(macros=macros, mailboxes=("steve", "juha", "anna", "postmaster"))
    with Daemon(directory / "eximacl.toml", socket, directory / "log") as daemon, Lab(site) as lab:
        yield World(lab, daemon, directory)


@pytest.fixture(scope="module")
def worlds(home: Path) -> Iterator[Callable[[], World]]:
    """Start a world, once for each Exim."""
    with ExitStack() as stack:
        known: dict[str, World] = {}

        def start() -> World:
            if chosen() not in known:
                known[chosen()] = stack.enter_context(world(home / f"disposable-{chosen()}"))
            return known[chosen()]

        yield start


@pytest.fixture
def shared(worlds: Callable[[], World], exim: str) -> World:
    """A world that other tests use, too."""
    assert exim == chosen()
    return worlds()


def send(world: World, *rcpts: str, subject: str, headers: str = "", replies: tuple[str, ...] = ()) -> None:
    """Send one message to recipients, each of which gets its reply (250 where none is given)."""
    told = (*replies, *["250"] * (len(rcpts) - len(replies)))
    lines = "".join(f"C: RCPT TO:<{rcpt}>\nS: {reply}\n" for rcpt, reply in zip(rcpts, told, strict=True))
    data = f"C: DATA\nS: 354\nC: Subject: {subject}\n{headers}C:\nC: text\nC: .\nS: 250\n" if "250" in told else ""
    world.lab.play(f"S: 220\nC: EHLO mx.example.net\nS: 250\n{MAIL}{lines}{data}", CLIENT)


# What the delivered message says.


def test_each_message_says_which_it_is(shared: World) -> None:
    address = "steve+which.2.count@example.org"
    for number in ("one", "two"):
        send(shared, address, subject=f"which {number}")
    send(shared, address, subject="which three", replies=("550 5.2.1",))
    assert [shared.delivered("steve", f"which {number}")[0][HEADER] for number in ("one", "two")] == [
        "1 of 2",
        "2 of 2",
    ]


def test_a_forged_header_is_taken_away(shared: World) -> None:
    forged = f"C: {HEADER}: 1 of 99\nC: x-eximacl-disposable: folded\nC:  of 7\n"
    send(shared, "juha@example.org", subject="forged 1", headers=forged)
    send(shared, "steve+forged.5.count@example.org", subject="forged 2", headers=forged)
    send(shared, "steve.date.2027-06-01@example.org", subject="forged 3", headers=forged)
    found = [
        shared.delivered(mailbox, f"forged {number}")[0].get_all(HEADER)
        for mailbox, number in (("juha", 1), ("steve", 2), ("steve", 3))
    ]
    assert found == [None, ["1 of 5"], ["last day 2027-05-31"]]


def test_each_recipient_has_its_own_header_and_no_other(shared: World) -> None:
    send(
        shared,
        "steve+both.4.count@example.org",
        "juha+both.7.count@example.org",
        "postmaster@example.org",
        subject="both",
    )
    assert [shared.delivered(name, "both")[0].get_all(HEADER) for name in ("steve", "juha", "postmaster")] == [
        ["1 of 4"],
        ["1 of 7"],
        None,
    ]


def test_a_label_is_of_one_message_only(shared: World) -> None:
    """The next message of the same connection to an ordinary address says nothing."""
    script = MAIL + "C: RCPT TO:<{0}>\nS: 250\nC: DATA\nS: 354\nC: Subject: {1}\nC:\nC: .\nS: 250\n"
    first = script.format("steve+label.4.count@example.org", "label 1")
    shared.lab.play(f"S: 220\nC: EHLO mx\nS: 250\n{first}{script.format('steve@example.org', 'label 2')}", CLIENT)
    assert [shared.delivered("steve", f"label {number}")[0].get_all(HEADER) for number in (1, 2)] == [["1 of 4"], None]


# Ending an address by mail.


def as_user(world: World, user: str, rcpt: str) -> str:
    """Write to a recipient as an authenticated user; return the reply to RCPT."""
    word = base64.b64encode(f"\0{user}\0secret".encode()).decode()
    with world.lab.client(CLIENT) as client:
        client.reply()
        client.ask("EHLO home.example.net")
        assert client.ask(f"AUTH PLAIN {word}").startswith("235")
        client.ask("MAIL FROM:<steve@example.org>")
        return client.ask(f"RCPT TO:<{rcpt}>")


@pytest.mark.parametrize("user", ["steve", "steve@example.org", "Steve@Example.ORG"])
@pytest.mark.parametrize("form", ["3.count", "count.3", "3.count.x7k2m3qa", "date.2027-06-01"])
def test_a_user_ends_an_address(shared: World, user: str, form: str) -> None:
    address = f"steve+{uuid.uuid4().hex[:8]}.{form}@example.org"
    send(shared, address, subject="before")
    reply = " ".join(as_user(shared, user, address.replace("@", "+end@")).split())
    assert re.fullmatch(r"550 5\.2\.1 steve\+\S+@example\.org has ended and takes no more mail", reply)
    send(shared, address, subject="after", replies=("550 5.2.1",))


@pytest.mark.parametrize("user", ["juha", "juha@example.org", "steve@example.com", "ste", ""])
def test_nobody_ends_an_address_of_another(shared: World, user: str) -> None:
    address = "steve.77.count@example.org"
    if user:
        reply = as_user(shared, user, "steve.77.count+end@example.org")
        assert " ".join(reply.split()) == f"550 5.7.1 {address} is not yours to end; steve@example.org may"
    else:
        send(shared, "steve.77.count+end@example.org", subject="no user", replies=("550",))
    send(shared, address, subject=f"others {user}")
    known = shared.known(address)
    assert known is not None
    assert not known.ended


@pytest.mark.parametrize(
    ("rcpt", "reply"),
    [
        ("steve+end@example.org", "250"),
        # Debian's ACL takes anything from a user.
        ("juha.count+end@example.org", "250"),
        ("steve.0.count+end@example.org", "250"),
        ("friend.3.count+end@example.net", "250"),
    ],
)
def test_what_is_not_an_address_of_ours_goes_on_like_any_mail(shared: World, rcpt: str, reply: str) -> None:
    assert as_user(shared, "steve", rcpt).startswith(reply)


def test_while_the_daemon_is_down_an_end_is_put_off(shared: World) -> None:
    shared.daemon.kill()
    try:
        assert as_user(shared, "steve", "steve.3.count+end@example.org").startswith("451 4.3.0 temporary local problem")
        assert as_user(shared, "steve", "steve+end@example.org").startswith("250")
    finally:
        shared.daemon.start()


# A flood.


def test_a_flood_of_new_addresses_is_bounded_and_good_mail_goes_on(shared: World) -> None:
    """Thousands of new addresses of one user: 25 from a client, a hundred in all; what was in use is accepted.

    Debian's ACL has enough of a session after ten refused recipients, and says 550 to the rest.
    """
    path = shared.directory / "state.db"
    minted = eximacl("mint", "anna", "--count", "2", "--config", shared.directory / "eximacl.toml")
    assert (minted.status, minted.err) == (0, "")
    send(shared, "anna.5.count@example.org", subject="in use")
    replies = []
    for session in range(30):
        names = [f"anna+x{session}y{number}.1.count@example.org" for number in range(90)]
        with shared.lab.client(f"127.2.{session}.1") as client:
            client.reply()
            client.ask("EHLO mx.example.net")
            client.ask("MAIL FROM:<a@example.net>")
            client.send(*[f"RCPT TO:<{name}>" for name in names])
            found = [client.reply()[:9] for _ in names]
            if "250 Accep" in found:
                assert client.ask("DATA").startswith("354")
                assert client.ask("Subject: flood", "", ".").startswith("250")
        replies += found
    assert replies[:35] == ["250 Accep"] * 25 + ["451 4.2.1"] * 10
    assert [replies[at : at + 90].count("250 Accep") for at in range(0, 450, 90)] == [25, 25, 25, 24, 0]
    assert set(replies[360:]) <= {"451 4.2.1", "550 Rejec"}
    with closing(SqliteState(path)) as state:
        assert len([known for known in state.all_known(time.time()) if known.owner == "anna@example.org"]) == 101
    send(shared, "anna.5.count@example.org", subject="still")
    send(shared, "anna.2.count@example.org", subject="minted")
    send(shared, "steve+flood.1.count@example.org", subject="another's")
    send(shared, "anna+x0y1.1.count@example.org", subject="used up", replies=("550 5.2.1",))


# What junk to an old address costs other mail.

LIMITED = POLICY.replace('["disposable"]', '["disposable", "rate"]') + "[checks.rate.windows.hour]\nclient = 2\n"


def test_mail_to_a_used_up_address_takes_no_share_of_a_rate(exim: str, home: Path) -> None:
    assert exim == chosen()
    with world(home / f"limited-{exim}", LIMITED) as limited:
        send(limited, "steve.1.count@example.org", subject="limited 1")
        for _ in range(4):
            send(limited, "steve.1.count@example.org", subject="junk", replies=("550 5.2.1",))
        send(limited, "steve@example.org", subject="limited 2")
        send(limited, "steve@example.org", subject="limited 3", replies=("451 4.7.1",))
