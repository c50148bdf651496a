"""How fast the daemon answers, beside the limit: what a C program needs that only accepts, reads, writes and closes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import queries
from bench.policies import sample_policy
from bench.running import Load, Server, daemon, load, running

# Runs of all servers take turns, so that whatever else the machine does hits all alike; the median counts.
ROUNDS = 3
GOAL_RATIO = 0.4

# Exim connects first and writes a moment later, then half-closes.
LIKE_EXIM = "delay_us=70 half_close=1"
MODES: dict[str, str] = {
    "flat out, 4 clients": "clients=4 seconds=1",
    "flat out, 4 like Exim": f"clients=4 seconds=1 {LIKE_EXIM}",
    "3,000/s like Exim": f"clients=16 seconds=1.5 rate=3000 {LIKE_EXIM}",
    "1,000/s like Exim": f"clients=8 seconds=1.5 rate=1000 {LIKE_EXIM}",
}

Results = dict[tuple[str, str], list[Load]]


def measure(directory: Path, rounds: int = ROUNDS) -> Iterator[str]:
    """Yield the lines of the table."""
    asked = queries.write(directory / "sample.queries", queries.sample_mix())
    results: Results = {}
    with ExitStack() as stack:
        servers = [stack.enter_context(running(*each)) for each in _servers(directory)]
        for _ in range(rounds):
            for mode, options in MODES.items():
                for server in servers:
                    results.setdefault((mode, server.name), []).append(load(directory, server, asked, options))
    yield from _table(servers, results)


def _servers(directory: Path) -> Iterator[tuple[str, list[str | Path], Path]]:
    path = directory / "limit.s"
    yield "limit (C)", [directory / "limit", path], path
    path = directory / "constant.s"
    yield "server.py alone", [sys.executable, "-m", "bench.constant", path], path
    config = sample_policy(directory / "sample")
    yield "eximacl", daemon(config), config.parent / "s"


def _table(servers: list[Server], results: Results) -> Iterator[str]:
    yield f"{'':24}{'':17}{'queries/s':>10}{'of limit':>10}{'CPU µs/query':>14}{'p50 µs':>8}{'p99 µs':>8}"
    for mode in MODES:
        limit = median(run.rate for run in results[mode, servers[0].name])
        for server in servers:
            runs = results[mode, server.name]
            rate = median(run.rate for run in runs)
            cpu, p50, p99 = (median(getattr(run, name) for run in runs) for name in ("cpu_us", "p50", "p99"))
            ratio = "" if "rate=" in MODES[mode] else f"{rate / limit:.2f}"
            yield f"{mode:24}{server.name:17}{rate:>10,.0f}{ratio:>10}{cpu:>14.1f}{p50:>8.0f}{p99:>8.0f}"
        if ratio:
            yield f"{'':24}{'goal':17}{'':10}{f'≥ {GOAL_RATIO:.2f}':>10}"
    runs = [run for (_, name), all_runs in results.items() if name == servers[-1].name for run in all_runs]
    total = sum(sum(run.verdicts.values()) for run in runs)
    parts = (f"{word} {sum(run.verdicts[word] for run in runs) / total:.0%}" for word in runs[0].verdicts)
    yield f"verdicts of eximacl: {', '.join(parts)}"
