"""A joe job through the real Exim: 40,000 bounces to random localparts and 30 to a real one, beside 500 good mails.

Half of the bounces come one a connection, half ten a connection, from four senders at once. CPU is that of Exim with
all its children, and of the daemon with its whole policy, journal and rejection log.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.running import BenchError
from tests.lab.joe_job import Rehearsal, rehearse
from tests.lab.namespace import Missing

# A round is a part of one and the same joe job.
ROUNDS = 10
BOUNCES_PER_ROUND = 4000
TO_ONE = 30
GOOD = 500
LIMIT = 20


def measure(_directory: Path, rounds: int = ROUNDS) -> Iterator[str]:
    """Yield the lines of the report. Raises BenchError where a message met another fate than it should."""
    try:
        found = rehearse(BOUNCES_PER_ROUND * rounds, TO_ONE, GOOD)
    except Missing as error:
        raise BenchError(str(error)) from None
    accepted = found.good["250 OK id"]
    refused = found.random["550 5.1.1"]
    blocked = [reply.startswith("550 5.2.1") for reply in found.real]
    yield f"{'good mails':44}{GOOD:>8,}{accepted:>10,} accepted"
    yield f"{'bounces to random localparts':44}{found.random.total():>8,}{refused:>10,} refused"
    yield f"{'bounces to a real one':44}{TO_ONE:>8,}{sum(blocked):>10,} refused, those after the first {LIMIT}"
    if (accepted, refused, blocked) != (GOOD, found.random.total(), [n >= LIMIT for n in range(TO_ONE)]):
        raise BenchError(f"not as it should be: {found}")
    yield from _figures(found)


def _figures(found: Rehearsal) -> Iterator[str]:
    messages = found.messages
    yield f"{'messages a second':44}{messages / found.seconds:>8,.0f}"
    yield f"{'connections a second':44}{found.connections / found.seconds:>8,.0f}"
    for name, seconds in (("Exim", found.exim_seconds), ("the daemon", found.daemon_seconds)):
        each = seconds * 1e6 / messages
        yield f"{f'CPU of {name}, µs a message':44}{each:>8,.0f}{seconds / found.seconds:>10.0%} of a processor"
