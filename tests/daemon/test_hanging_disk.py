"""An archive whose disk hangs, under the real daemon: nothing else waits for it, and no copy is without a record."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from eximacl.archive import messages
from eximacl.archive.hold import THREADS
from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from eximacl.records.journal import journal_files, read_journal
from tests.archive.holding import HEADERS, ID, spool_with
from tests.lab.daemon import listens
from tests.lab.waiting import until
from tests.needs import needs

POLICY = """
[server]
socket = "eximacl.sock"
[state]
url = "memory:"
[log]
rejections = "rejections.jsonl"
[journal]
dir = "journal"
[archive]
dir = "archive"
[policy]
domains = ["example.org"]
order = ["sender_domain"]
[checks.sender_domain]
domains = "domains"
action = "hold"
"""
PATIENCE_SECONDS = 20.0
# More than the archive's threads, and than the event loop's own.
MANY = THREADS + 8


@needs("needs_exim")
def hanging_disk(directory: Path) -> Path:
    library = directory / "hanging.so"
    source = Path(__file__).with_name("hanging.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@contextlib.contextmanager
def daemon_at(directory: Path) -> Iterator[Path]:
    """Run a daemon for which fsync waits while the file `hang` exists."""
    (directory / "eximacl.toml").write_text(POLICY)
    (directory / "domains").write_text("bad.example\n")
    preload = {"LD_PRELOAD": str(hanging_disk(directory)), "HANGING_DISK": str(directory / "hang")}
    command = [sys.executable, "-m", "eximacl", "serve", "--config", str(directory / "eximacl.toml")]
    path = directory / "eximacl.sock"
    process = subprocess.Popen(command, env={**os.environ, **preload}, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(path))
        yield path
    finally:
        (directory / "hang").unlink(missing_ok=True)
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def held(directory: Path, number: int) -> bytes:
    values = {
        "tx": f"t{number}",
        "ip": "192.0.2.7",
        "from": "a@bad.example",
        "rcpts": "steve@example.org",
        "want": "data",
        "id": ID,
        "spool": str(directory / "spool"),
        "headers": HEADERS,
        "held": f"7KQ2M9{number:02d}",
        "held_reason": "sender-domain",
        "held_check": "sender_domain",
        "held_message": "5.7.1 no",
        "held_sentence": "no",
    }
    return format_query("data", values)


def connected(path: Path, line: bytes) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE_SECONDS)
    client.connect(str(path))
    client.sendall(line)
    return client


def reads(path: Path, sender: str) -> str:
    query = {"tx": "q", "ip": "192.0.2.7", "from": sender, "rcpt": "steve@example.org"}
    return ask(path, format_query("rcpt", query), PATIENCE_SECONDS).verdict


def test_nothing_else_waits_and_every_copy_has_its_record(tmp_path: Path) -> None:
    spool_with(tmp_path / "spool")
    with daemon_at(tmp_path) as path, contextlib.ExitStack() as stack:
        (tmp_path / "hang").touch()
        clients = [stack.enter_context(connected(path, held(tmp_path, number))) for number in range(MANY)]
        # Lists are still read again, and a reload is done.
        (tmp_path / "domains").write_text("bad.example\nworse.example\n")
        until(lambda: reads(path, "a@worse.example") == "hold")
        reload = format_query("control", {"do": "reload"})
        assert json.loads(ask(path, reload, PATIENCE_SECONDS).extra["answer"])["problems"] == []
        # Half of the clients do not wait for their reply.
        for client in clients[::2]:
            client.close()
        (tmp_path / "hang").unlink()
        replies = [client.recv(65536).partition(b" ")[0] for client in clients[1::2]]
        assert replies == [b"verdict=reject"] * len(replies)
        until(lambda: len(recorded(tmp_path)) == MANY)
        assert len(list(messages(tmp_path / "archive"))) == MANY


def test_a_stop_waits_until_a_message_is_archived(tmp_path: Path) -> None:
    spool_with(tmp_path / "spool")
    with daemon_at(tmp_path) as path, contextlib.ExitStack() as stack:
        (tmp_path / "hang").touch()
        stack.enter_context(connected(path, held(tmp_path, 1)))
        until(lambda: list((tmp_path / "archive").glob("*/*/tmp/*")) != [])
    assert (len(list(messages(tmp_path / "archive"))), len(recorded(tmp_path))) == (1, 1)


def recorded(directory: Path) -> set[str]:
    """Return the references of the held messages that the journal has."""
    entries = [entry for path in journal_files(directory / "journal") for entry in read_journal(path)]
    return {entry.ref for entry in entries if entry.stage == "data" and entry.word == "hold"}
