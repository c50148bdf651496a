"""What size costs: a million valid recipients and a thousand domains with their own policy, beside ten of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import queries
from bench.policies import large_policy
from bench.running import daemon, load, running

LARGE = (1_000_000, 1000)
SMALL = (10, 10)
ROUNDS = 5
GOAL_START_SECONDS = 10.0
GOAL_MB = 400.0
GOAL_RATIO = 0.8
OPTIONS = "clients=4 seconds=1"
# The daemon reads lists once more that were new when it read them first; that is not what is measured here.
SETTLE_SECONDS = 5.0


def measure(directory: Path, rounds: int = ROUNDS) -> Iterator[str]:
    """Yield the lines of the table."""
    rates: dict[tuple[int, int], list[float]] = {SMALL: [], LARGE: []}
    with ExitStack() as stack:
        servers = {}
        for size in rates:
            config = large_policy(directory / f"of-{size[0]}", *size)
            name = f"{size[0]:,} recipients, {size[1]:,} domains"
            server = stack.enter_context(running(name, daemon(config), config.parent / "s"))
            servers[size] = server, queries.write(config.parent / "queries", queries.many_recipients(*size))
        time.sleep(SETTLE_SECONDS)
        for _ in range(rounds):
            for size, (server, asked) in servers.items():
                rates[size].append(load(directory, server, asked, OPTIONS).rate)
        large, small = servers[LARGE][0], servers[SMALL][0]
        ratio = median(rates[LARGE]) / median(rates[SMALL])
        yield f"{'':34}{large.name:>36}{small.name:>28}  goal"
        yield f"{'start, s':34}{large.start_seconds:>36.1f}{small.start_seconds:>28.1f}  < {GOAL_START_SECONDS:.0f}"
        yield f"{'memory, MB':34}{large.memory_mb():>36.0f}{small.memory_mb():>28.0f}  < {GOAL_MB:.0f}"
        yield f"{'memory at its highest, MB':34}{large.memory_mb('VmHWM'):>36.0f}{small.memory_mb('VmHWM'):>28.0f}"
        yield f"{'queries/s':34}{median(rates[LARGE]):>36,.0f}{median(rates[SMALL]):>28,.0f}"
        yield f"{'of the rate with ten':34}{ratio:>36.2f}{'':>28}  ≥ {GOAL_RATIO}"
