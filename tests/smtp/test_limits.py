"""A dictionary attack and a flood through the real Exim; and a good host with stale addresses, which passes.

Nobody sleeps: the state file's windows are emptied, which is all that an hour would do to them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.lab import Daemon, Lab, Names, Site, reverse_zone

ATTACKER, LISTS, OTHER, PADDER = "127.1.1.1", "127.1.2.1", "127.1.3.1", "127.1.4.1"
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
[policy]
domains = ["example.org"]
order = ["dictionary_attack", "valid_recipient", "rate"]
[checks.dictionary_attack]
limit = 5
[checks.valid_recipient]
recipients = ["steve", "juha"]
[checks.rate.windows.minute]
minutes = 1
recipient = 30
[checks.rate.windows.hour]
sender = 8
"""
ACCEPTED = "250 Accepted"


class Limited:
    """An Exim whose daemon has limits."""

    def __init__(self, lab: Lab, state: Path) -> None:
        self.lab = lab
        self.state = state

    def name(self, source: str, sender: str, *localparts: str) -> list[str]:
        """Name recipients in one transaction that is never finished; return the replies."""
        with self.lab.client(source) as client:
            client.reply()
            client.ask("EHLO mx.example.net")
            client.ask(f"MAIL FROM:<{sender}>")
            replies = [client.ask(f"RCPT TO:<{localpart}@example.org>") for localpart in localparts]
        return [reply.replace("\n", " ").partition(" (ref")[0] for reply in replies]

    def an_hour_later(self) -> None:
        with closing(sqlite3.connect(self.state)) as db, db:
            db.execute("DELETE FROM windows")


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[Limited]:
    directory = home / "limits"
    directory.mkdir()
    macros = {"EXIMACL_SOCKET": f"{directory}/eximacl.sock", "EXIMACL_ON_FAILURE": "defer", "EXIMACL_SKIP_HOSTS": ""}
    (directory / "eximacl.toml").write_text(POLICY.format(directory=directory))
    hosts = {ATTACKER: "mx.example.net", LISTS: "lists.example.com", OTHER: "mx.example.com"}
    with (
        Names(reverse_zone(hosts)) as names,
        Daemon(directory / "eximacl.toml", directory / "eximacl.sock", directory / "daemon.log"),
        Lab(Site(macros=macros), names=names) as lab,
    ):
        yield Limited(lab, directory / "state.db")


@pytest.fixture
def limited(running: Limited) -> Limited:
    running.an_hour_later()
    return running


def refused(localpart: str) -> str:
    return f"550 5.1.1 mail to {localpart} not accepted here"


def test_a_dictionary_attack_ends_and_learns_nothing_more(limited: Limited) -> None:
    guesses = ["alice", "bob", "carol", "dave", "eve"]
    later = f"451 4.7.1 too many unknown recipients from {ATTACKER}/32 in 60 min; please try again later"
    assert limited.name(ATTACKER, "a@example.net", *guesses[:3]) == list(map(refused, guesses[:3]))
    assert limited.name(ATTACKER, "b@example.net", *guesses[3:], "fay", "steve") == [
        *map(refused, guesses[3:]), later, later,
    ]  # fmt: skip
    assert limited.name(OTHER, "ann@example.com", "steve") == [ACCEPTED]
    assert limited.name(ATTACKER, "", "steve") == [ACCEPTED]
    limited.an_hour_later()
    assert limited.name(ATTACKER, "c@example.net", "steve") == [ACCEPTED]


def test_a_list_with_stale_addresses_passes(limited: Limited) -> None:
    for number in range(8):
        sender = f"list-bounces+{number}@lists.example.com"
        assert limited.name(LISTS, sender, "steve", f"stale{number}", "juha") == [
            ACCEPTED, refused(f"stale{number}"), ACCEPTED,
        ]  # fmt: skip


def test_one_known_name_does_not_make_up_for_many_guesses(limited: Limited) -> None:
    for sender in ("a@example.net", "b@example.net", "c@example.net"):
        assert limited.name(PADDER, sender, *["steve"] * 5) == [ACCEPTED] * 5
    replies = [limited.name(PADDER, f"s{number}@example.net", "steve", f"guess{number}") for number in range(12)]
    assert replies[:10] == [[ACCEPTED, refused(f"guess{number}")] for number in range(10)]
    assert all(reply.startswith("451 4.7.1 too many unknown") for pair in replies[10:] for reply in pair)


def test_two_windows_at_once(limited: Limited) -> None:
    too_much = "451 4.7.1 too much mail {} in {} min; please try again later"
    for number in range(5):
        senders = f"s{number}@example.com"
        assert limited.name(OTHER, senders, *["steve"] * 6) == [ACCEPTED] * 6
    assert limited.name(OTHER, "last@example.com", "steve", "juha") == [
        too_much.format("to steve@example.org", 1), ACCEPTED,
    ]  # fmt: skip
    assert limited.name(OTHER, "s0@example.com", "juha", "juha", "juha") == [
        ACCEPTED, ACCEPTED, too_much.format("from s0@example.com", 60),
    ]  # fmt: skip
