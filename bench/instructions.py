"""`python -m bench.instructions`: how many instructions a query of the sample mix costs, part by part. Needs valgrind.

Instructions are counted, not timed, since a count is the same on a busy machine: on a quiet one, 1,000 of these are
some 0.13 µs. The parts do not add up to the whole, whose own calls come on top.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bench import queries
from bench.policies import sample_policy
from eximacl.config import load
from eximacl.daemon.answers import Answers, NoNetwork
from eximacl.daemon.front_end import EximFrontEnd
from eximacl.daemon.judge import Judge
from eximacl.daemon.recorder import Recorder
from eximacl.policy.drive import drive
from eximacl.policy.engine import decide
from eximacl.protocol.exim import format_reply, parse_query, reply_for
from eximacl.records.decision import DecisionRecord
from eximacl.records.journal import pack_entry
from eximacl.records.references import References
from eximacl.records.rejections import rejection_line
from eximacl.state import open_state

QUERIES = 2000
# Called between two parts; callgrind then writes its count and starts a new one.
MARK = "sched_yield"
VALGRIND = ("valgrind", "--tool=callgrind", f"--dump-before={MARK}")
PARTS = (
    "whole query",
    "parse_query",
    "decide",
    "reply",
    "reference",
    "journal",
    "rejection log (of those refused)",
    "flush",
)


def measure(directory: Path) -> Iterator[str]:
    """Yield the lines of the table."""
    command = [*VALGRIND, f"--callgrind-out-file={directory / 'count'}", sys.executable, "-m", "bench.instructions"]
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run([*command, str(directory)], capture_output=True, text=True, env=environ)
    if done.returncode:
        raise SystemExit(done.stderr)
    yield f"{'':32}{'instructions/query':>20}"
    # The first count is of the start, the last of the end.
    for number, part in enumerate(PARTS, start=2):
        text = (directory / f"count.{number}").read_text()
        found = re.search(r"^totals: (\d+)", text, re.MULTILINE)
        yield f"{part:32}{int(found[1]) // QUERIES if found else 0:>20,}"


def run(directory: Path) -> None:
    """Run each part, with a mark before each and after the last."""
    loaded = load(sample_policy(directory / "sample"))
    recording = Recorder(loaded.settings, lambda _seconds, _flush: None)
    state = open_state("memory:")
    kept: list[DecisionRecord] = []
    judge = Judge(loaded.policy, state, next_ref=References().next)
    lines = [line[:-1].replace(b"tx=TX", b"tx=%d" % n) for n, line in enumerate(islice(queries.sample_mix(), QUERIES))]

    def decided(record: DecisionRecord) -> Any:
        return drive(decide(loaded.policy, record.query), Answers(state, NoNetwork(), record.query))

    def flush(_last: DecisionRecord) -> None:
        for record in (recording._journal, recording._rejections):
            if record is not None:
                record.file.flush()

    keeping, front_end = EximFrontEnd(judge, kept.append), EximFrontEnd(judge, recording.record)
    for line in lines:  # once to warm up: caches, and references' heads
        keeping.handle(line)
        front_end.handle(line)
    flush(kept[0])
    next_ref = References().next
    _part(front_end.handle, lines)
    refused = [record for record in kept if record.decision.word != "accept"]
    waiting = kept[:1]
    parts: tuple[tuple[Callable[[Any], Any], list[Any]], ...] = (
        (parse_query, lines),
        (decided, kept),
        (lambda record: format_reply(reply_for(record.decision, record.ref)), kept),
        (lambda record: next_ref(record.query.now), kept),
        (pack_entry, kept),
        (rejection_line, refused),
        (flush, waiting),
    )
    for function, arguments in parts:
        _part(function, arguments)
    os.sched_yield()
    recording.close()


def _part(function: Callable[[Any], Any], arguments: list[Any]) -> None:
    os.sched_yield()
    for argument in arguments:
        function(argument)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory(prefix="eximacl-bench-") as name:
            for row in measure(Path(name)):
                print(row, flush=True)
