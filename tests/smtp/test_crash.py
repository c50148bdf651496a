"""The daemon is killed in a loop, under load: no committed count is lost, and never one message too many."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter

import pytest

from tests.lab.waiting import until
from tests.smtp.real import Real, attempt

LIMIT = 5
SENDERS = 4
# An address whose last place stays reserved, since the daemon died before it heard of the end, is given up.
ATTEMPTS = 200


class Load:
    """Senders that use up one counted address after the other, until `stop()`."""

    def __init__(self, real: Real) -> None:
        self.accepted: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._real = real
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def total(self) -> int:
        """Return how many messages Exim has accepted."""
        return sum(self.accepted.copy().values())

    def stop(self) -> None:
        """Let each sender finish its message, and wait for all."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        while not self._stopped.is_set():
            self._use_up(self._real.address(LIMIT))

    def _use_up(self, address: str) -> None:
        for _ in range(ATTEMPTS):
            reply = attempt(self._real.lab, address)
            self.accepted[address] += reply.startswith("250")
            if reply.startswith("5") and "5.2.1" not in reply:
                self.wrong.append(reply)
            if reply.startswith("5") or self._stopped.is_set():
                return


def kill_again_and_again(real: Real, times: int) -> None:
    """Kill the daemon after every few messages; then compare what was accepted, delivered and counted."""
    load = Load(real)
    try:
        for _ in range(times):
            enough = load.total() + random.randrange(1, 8)
            until(lambda enough=enough: load.total() >= enough, "mail to be accepted")  # type: ignore[misc]
            real.daemon.kill()
            real.daemon.start()
    finally:
        load.stop()
    real.lab.deliver()
    delivered = Counter(message["Envelope-to"] for message in real.lab.mailbox("steve"))
    assert load.wrong == []
    assert load.total() >= times
    for address, accepted in load.accepted.items():
        committed, _ = real.places(address)
        assert delivered[address] == accepted <= committed <= LIMIT, address


def test_a_daemon_killed_again_and_again_loses_no_count(real: Real) -> None:
    kill_again_and_again(real, 25)


@pytest.mark.soak
def test_a_daemon_killed_hundreds_of_times_loses_no_count(real: Real) -> None:
    kill_again_and_again(real, int(os.environ.get("KILLS", "400")))
