"""`python -m bench`: build, measure, print. Takes about seven minutes; `--quick` takes one round only."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from bench import dns, dnslists, harvest, joe_job, size, speed
from bench.running import BenchError, build

PARTS = {part.__name__.removeprefix("bench."): part for part in (speed, size, harvest, dns, dnslists, joe_job)}


def main() -> int:
    """Run the benchmarks; return 1 where something did not work (a missed goal is only printed)."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each")
    parser.add_argument("only", nargs="?", choices=PARTS, help="run only this one")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eximacl-bench-") as name:
        try:
            build(Path(name))
            for named, part in PARTS.items():
                if chosen.only in (None, named):
                    print(f"\n{part.__doc__}\n")
                    for line in part.measure(Path(name), 1 if chosen.quick else part.ROUNDS):
                        print(line, flush=True)
        except BenchError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    print(f"\n{os.cpu_count()} processors, shared with the load generator; Python {sys.version.split()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
