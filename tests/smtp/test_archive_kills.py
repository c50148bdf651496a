"""Held messages by the hundred from a real Exim, while the daemon is killed: every reference is in the archive.

A daemon that dies after a message is in the archive and before Exim has its verdict leaves a whole message there whose
sender got a 451. Nobody can prevent that: the verdict may be lost whatever the daemon writes first, and with the other
order a message would be lost. It is an early copy of what the sender sends again, with the same bytes under a reference
that nobody was told. That and nothing else may be in `new/` beside what was refused with its reference.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.lab.waiting import WAIT_SECONDS, until
from tests.smtp.holding import Holding, digest, half_files, holding, reference

# A daemon is back within a second; a sender tries again at once.
ATTEMPTS = 2000
SENDERS = 8


@pytest.fixture(scope="module")
def started() -> Iterator[Holding]:
    with holding() as found:
        yield found


@pytest.fixture
def both(started: Holding) -> Iterator[Holding]:
    """An Exim and a daemon, which runs again afterwards."""
    yield started
    started.daemon.ensure()


def test_a_kill_between_the_archive_and_the_verdict_is_a_451(both: Holding) -> None:
    """Killed as soon as the message is in `new/`. It may be too late: then the sender was told, and it is there."""
    fates: Counter[str] = Counter()
    for number in range(40):
        both.clear()
        killer = threading.Thread(target=kill_when, args=(both, "*/2*/new/*" if number % 2 else "*/2*/tmp/*"))
        killer.start()
        message = b"Subject: x\r\n\r\n" + b"x" * 3_000_000 + b"\r\n"
        reply = both.send(message)
        killer.join()
        both.daemon.start()
        assert half_files(both.archive) == []
        if reply.startswith("550"):
            assert both.of(reply)
        else:
            assert reply.startswith("451 4.3.0 ")
        fates[f"{reply[:3]} {len(both.archived())}"] += 1
        if fates["451 0"] and fates["451 1"] and number >= 8:
            break
    assert fates["451 0"]
    assert set(fates) <= {"451 0", "451 1", "550 1"}


def kill_when(kept: Holding, pattern: str) -> None:
    """Kill the daemon once the archive has such a file."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not any(kept.archive.glob(pattern)) and time.monotonic() < deadline:
        pass
    kept.daemon.kill()


@dataclass
class Proof:
    """What senders were told. refused: the digest of each message by its reference; deferred: of what got a 451."""

    refused: dict[str, str] = field(default_factory=dict)
    deferred: set[str] = field(default_factory=set)
    others: list[str] = field(default_factory=list)


def prove(kept: Holding, total: int, kills: int) -> Counter[str]:
    """Let `total` messages be held, some senders at a time; kill the daemon so often meanwhile. Then compare."""
    kept.clear()
    proof, numbers, dice = Proof(), iter(range(total)), random.Random(total)

    def send_all() -> None:
        for number in numbers:
            message = (
                b"Message-ID: <%d@example.net>\r\n\r\n" % number
                + dice.randbytes(dice.choice((0, 300, 30_000, 200_000))).hex().encode()
                + b"\r\n"
            )
            retry_until_refused(kept, message, number % 3, proof)

    threads = [threading.Thread(target=send_all) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, kills + 1):
            enough = number * total // (kills + 1)
            until(lambda enough=enough: len(proof.refused) >= enough, "messages to be held")  # type: ignore[misc]
            kept.daemon.kill()
            kept.daemon.start()
    finally:
        for thread in threads:
            thread.join()
    return compare(kept, proof, total)


def retry_until_refused(kept: Holding, message: bytes, chunks: int, proof: Proof) -> None:
    """Send one message as a mail server does: until it is refused for good."""
    for _ in range(ATTEMPTS):
        reply = kept.send(message, chunks=chunks)
        if reply.startswith("550") and reference(reply):
            proof.refused[reference(reply)] = digest(message)
            return
        if not reply.startswith("451 4.3.0"):
            proof.others.append(reply)
            return
        proof.deferred.add(digest(message))
    proof.others.append("no end of 451")


def compare(kept: Holding, proof: Proof, total: int) -> Counter[str]:
    """Every reference is in the archive, once, with the bytes that were sent. All else there is a message whose
    sender got a 451, since the daemon died after it was archived and before it could say so; sent again, it is there
    once more under the reference that its sender was told."""
    assert proof.others == []
    assert len(proof.refused) == total
    assert half_files(kept.archive) == []
    found: dict[str, str] = {}
    for message in kept.archived():
        assert message.envelope is not None, message.problem
        assert message.envelope.ref not in found
        found[message.envelope.ref] = message.envelope.sha256
    assert {ref: found.get(ref) for ref in proof.refused} == proof.refused
    again = {ref: sha256 for ref, sha256 in found.items() if ref not in proof.refused}
    assert set(again.values()) <= proof.deferred & set(proof.refused.values())
    return Counter(refused=len(proof.refused), deferred=len(proof.deferred), archived_and_deferred=len(again))


def test_three_hundred_held_messages_and_four_kills(both: Holding) -> None:
    prove(both, 300, 4)


@pytest.mark.soak
def test_two_thousand_held_messages_and_ten_kills(both: Holding) -> None:
    print(dict(prove(both, 2000, 10)))
