"""A lab's Exim and the real daemon, wired to each other, and what a test wants to know of both."""

from __future__ import annotations

import random
import string
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eximacl.state import SqliteState
from tests.lab import Daemon, Lab
from tests.lab.daemons import DAEMONS

GOOD = "127.0.1.1"
# Runs a module's tests with each of Debian's daemons.
EACH_DAEMON = pytest.mark.parametrize("exim", DAEMONS, indirect=True)


class Real:
    """A lab and a daemon that know each other."""

    def __init__(self, lab: Lab, daemon: Daemon, directory: Path) -> None:
        self.lab = lab
        self.daemon = daemon
        self.directory = directory

    def address(self, count: int) -> str:
        """Return a counted address that nobody has used yet; of letters, since the policy refuses a digit's end."""
        tag = "".join(random.choices(string.ascii_lowercase, k=12))
        return f"steve+{tag}.{count}.count@example.org"

    def places(self, address: str) -> tuple[int, int]:
        """Return how many places of an address are committed, and how many reserved."""
        state = SqliteState(self.directory / "state.db")
        try:
            return state.places(f"counted:{address}", datetime.now(UTC).timestamp())
        finally:
            state.close()

    def delivered(self, address: str) -> int:
        """Return how many messages for an address are in its owner's mailbox."""
        self.lab.deliver()
        return Counter(message["Envelope-to"] for message in self.lab.mailbox("steve"))[address]


def attempt(lab: Lab, address: str) -> str:
    """Try to deliver one message; return the reply that decided."""
    with lab.client(GOOD) as client:
        client.reply()
        client.ask("EHLO mx.example.net")
        client.ask("MAIL FROM:<ann@example.net>")
        reply = client.ask(f"RCPT TO:<{address}>")
        if reply.startswith("250"):
            client.ask("DATA")
            reply = client.ask("Subject: hello", "", "text", ".")
        client.send("QUIT")
        return reply


def together(functions: list[Callable[[], None]]) -> None:
    """Run functions in a thread each, and wait for all."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
