"""`eximacl why`: a decision found by its reference, and everything that is not a reference."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from eximacl.records.errors import READERS
from tests.archive.holding import let_everybody_pass, nobody
from tests.cli.running import eximacl
from tests.lab.daemon import Daemon

COUNTED = {"tx": "1-1", "ip": "192.0.2.7", "from": "a@example.net", "rcpt": "steve.3.count@example.org"}


def decided(daemon: Daemon, config: Path, **values: str) -> str:
    """Ask the daemon, let it write its records, and return the reference."""
    reply = ask(config.parent / "eximacl.sock", format_query("rcpt", {**COUNTED, **values}))
    daemon.close()
    return reply.ref


def test_tells_the_whole_decision(daemon: Daemon, config: Path) -> None:
    ref = decided(daemon, config, rcpt="nobody\x1b@example.org", host="mx.example.net")
    done = eximacl("why", ref)
    assert done.status == 0
    assert done.out.startswith(f"{ref}   20")
    assert "rcpt:     nobody\\x1b@example.org" in done.out
    assert "valid_recipient      reject   unknown-recipient: nobody" in done.out


def test_tells_questions_and_answers(daemon: Daemon, config: Path) -> None:
    ref = decided(daemon, config)
    assert "reserve counted:steve.3.count@example.org 3 1-1 → reserved" in eximacl("why", ref).out


def test_json_and_a_reference_as_people_type_it(daemon: Daemon, config: Path) -> None:
    ref = decided(daemon, config)
    typed = f"{ref[:4]}-{ref[4:]}".lower().replace("0", "o").replace("1", "l")
    answer = json.loads(eximacl("why", "--json", typed).out)
    assert answer["ref"] == ref
    assert answer["query"]["rcpt"] == COUNTED["rcpt"]
    assert answer["word"] == "accept"
    assert answer["later"] == []
    assert answer["trace"][1] == {
        "check": "disposable",
        "result": "alias",
        "reason": "alias",
        "detail": "steve",
        "seconds": 0.0,
    }


@pytest.fixture
def held(config: Path) -> str:
    """A recipient that was held and then its message at DATA, which could not be archived: there is no such spool."""
    config.write_text(
        config.read_text()
        .replace('"joe"]', '"joe"]\naction = "hold"')
        .replace("[policy]", '[archive]\ndir = "archive"\nredact = ["subject"]\n[policy]')
    )
    socket = config.parent / "eximacl.sock"
    common = {"tx": "1-1", "ip": "192.0.2.7", "from": "a@example.net"}
    data = {"rcpts": "ghost@example.org", "id": "1xVYtn-00005a-08", "subject": "secret", "headers": "Subject: secret\n"}
    with Daemon(config, socket, config.parent / "log"):
        told = ask(socket, format_query("rcpt", {**common, "rcpt": "ghost@example.org"}))
        assert told.verdict == "hold"
        words = {"held": told.ref, "held_check": "valid_recipient", "held_message": told.message, "spool": "/no/such"}
        assert ask(socket, format_query("data", {**common, **data, **words})).ref == told.ref
    return told.ref


def test_tells_what_became_of_a_held_message(held: str) -> None:
    done = eximacl("why", held)
    first, later = done.out.split("\n\n" + held)
    assert done.status == 0
    assert "at rcpt: hold\n" in first
    assert "  rcpt:     ghost@example.org\n" in first
    assert later.splitlines()[0].endswith("   at data: reject")
    assert "  rcpts:    ghost@example.org\n  id:       1xVYtn-00005a-08\n\n  archive " in later
    assert "192.0.2.7" not in later


def test_json_has_what_became_of_a_held_message(held: str) -> None:
    answer = json.loads(eximacl("why", "--json", held).out)
    assert (answer["word"], answer["query"]["stage"]) == ("hold", "rcpt")
    (later,) = answer["later"]
    assert (later["ref"], later["word"], later["query"]["stage"]) == (held, "reject", "data")
    assert "later" not in later
    assert later["trace"][0]["reason"] == "not-archived"
    assert (later["query"]["subject"], later["query"]["headers"]) == ("(redacted)", "Subject: (redacted)\n")


@pytest.mark.parametrize(
    ("ref", "status", "words"),
    [
        pytest.param("", 65, "is not a reference", id="empty"),
        pytest.param("7KQ2M9D", 65, "one has 8 letters and digits", id="short"),
        pytest.param("7KQ2M9D!", 65, "is not a reference", id="sign"),
        pytest.param("00000000", 66, "00000000 is not in", id="not there"),
    ],
)
def test_what_is_not_found(config: Path, ref: str, status: int, words: str) -> None:
    (config.parent / "journal").mkdir()
    done = eximacl("why", ref)
    assert done.status == status
    assert words in done.err


def test_no_journal(config: Path) -> None:
    assert eximacl("why", "7KQ2M9D4").status == 74
    config.write_text(config.read_text().replace('dir = "journal"', 'dir = ""'))
    done = eximacl("why", "7KQ2M9D4")
    assert done.status == 78
    assert "journal.dir is empty" in done.err


@pytest.mark.parametrize("command", [("why", "7KQ2M9D4"), ("observed",)], ids=lambda command: command[0])
@pytest.mark.parametrize("shut", [".", "lib", "lib/journal", "lib/journal/2026-11-23.mpk"])
def test_who_may_not_read_the_journal_is_told(config: Path, command: tuple[str, ...], shut: str) -> None:
    base = config.parent / "var"
    (base / "lib/journal").mkdir(parents=True)
    (base / "lib/journal/2026-11-23.mpk").touch()
    let_everybody_pass(base)
    (base / shut).chmod(0o600 if shut.endswith("mpk") else 0o700)
    with nobody():
        done = eximacl(*command, "--journal", base / "lib/journal")
    assert (done.status, done.out) == (74, "")
    assert re.fullmatch(f"Error: {base}/lib.*: Permission denied; {READERS}\n", done.err)


def test_what_is_no_journal_file(config: Path) -> None:
    path = config.parent / "journal" / "2026-11-23.mpk"
    path.mkdir(parents=True)
    done = eximacl("why", "7KQ2M9D4")
    assert (done.status, done.err) == (74, f"Error: {path} cannot be read: Is a directory\n")


def test_a_broken_policy_is_no_obstacle(daemon: Daemon, config: Path) -> None:
    ref = decided(daemon, config)
    config.write_text(config.read_text() + "nonsense = 1\n[servr]\n")
    assert eximacl("why", ref).status == 0


def test_another_directory(daemon: Daemon, config: Path) -> None:
    ref = decided(daemon, config)
    (config.parent / "journal").rename(config.parent / "old")
    assert eximacl("why", ref, "--journal", config.parent / "old").status == 0
