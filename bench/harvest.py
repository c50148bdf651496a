"""How fast `eximacl harvest` reads a mail store, beside the limit: a loop that only opens, reads once and closes."""

from __future__ import annotations

import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from bench.running import BenchError
from eximacl.harvest.read import FIRST_READ_BYTES

MESSAGES = 60_000
ROUNDS = 3
GOAL_RATE = 3000
JOBS = 2
# One message of so many goes into the mbox; the others are spread over the Maildirs.
ONE_IN_MBOX = 6
MAILDIRS = 40
HEADER_BYTES = (2 * 1024, 6 * 1024)
BODY_BYTES = (2 * 1024, 40 * 1024)
ADDRESSES = 5000
READ_BYTES = 1024 * 1024

_FIRST = """\
Return-path: <sender{n}@example.com>
Envelope-to: {who}
Delivery-date: Thu, {day:02} Mar 2026 10:{minute:02}:00 +0200
Received: from mx.example.net ([192.0.2.7])
\tby mx.example.org with esmtps (TLS1.3) tls TLS_AES_256_GCM_SHA384
\t(Exim 4.96) (envelope-from <sender{n}@example.com>)
\tid 1xVYtn-{n:06}-58 for {who}; Thu, {day:02} Mar 2026 10:{minute:02}:00 +0200
"""
_LAST = """\
From: "Sender, the {n}." <sender{n}@example.com>
To: =?UTF-8?Q?J=C3=B6rg?= <{who}>, "Doe, J." <other{n}@example.net>
Cc: {copy}
Subject: Message {n}
Message-ID: <{n}@example.com>
Date: Thu, {day:02} Mar 2026 10:{minute:02}:00 +0200
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

"""
_HOP = """\
Received: from host{k}.example.net (host{k}.example.net [198.51.100.{k}])
\tby mx{k}.example.net (Postfix) with ESMTPS id 4ABCDEF{k:03}
\tfor <sender@example.net>; Thu, 12 Mar 2026 10:00:00 +0000 (UTC)
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=key{k};
\th=from:to:subject:date:message-id; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;
\tb=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZVoG4ZHRNiYzR
\t AuUnQGpfNKX4aDYzKsHzAqmjdNhqqPSfLqKbYmCzxlTtWhHyqUQmDxpUzBhzTZJq
X-Spam-Status: No, score=-2.1 required=5.0 tests=BAYES_00,DKIM_SIGNED,DKIM_VALID,
\tSPF_PASS,T_SCC_BODY_TEXT_LINE autolearn=ham version=4.0.0
"""


def write_store(directory: Path, messages: int) -> int:
    """Write Maildirs and an mbox; return how many bytes they have."""
    chance = random.Random(4)
    folders = [directory / f"user{k}" / folder for k in range(MAILDIRS // 2) for folder in ("cur", ".Sent/cur")]
    for folder in folders:
        folder.mkdir(parents=True)
    text = "".join(f"Line {k} of an ordinary text, about as long as people make them.\n" for k in range(700)).encode()
    total = 0
    with (directory / "archive.mbox").open("wb") as mbox:
        for n in range(messages):
            body = text[: round(math.exp(chance.uniform(*map(math.log, BODY_BYTES))))]
            data = header(n, chance).encode() + body + b"\n"
            total += len(data)
            if n % ONE_IN_MBOX == 0:
                mbox.write(b"From sender@example.com Thu Mar 12 10:00:00 2026\n" + data + b"\n")
            else:
                (folders[n % len(folders)] / f"{n}.M1P2.mx,S={len(data)}:2,S").write_bytes(data)
    return total


def header(n: int, chance: random.Random) -> str:
    """Return the header of the n-th message."""
    who, copy = (f"user{chance.randrange(ADDRESSES)}@example.org" for _ in range(2))
    values = {"n": n, "who": who, "copy": copy, "day": n % 28 + 1, "minute": n % 60}
    first, last = _FIRST.format(**values), _LAST.format(**values)
    size = chance.uniform(*HEADER_BYTES) - len(first) - len(last)
    hops = (_HOP.format(k=k + 1) for k in range(max(0, round(size / len(_HOP)))))
    return first + "".join(hops) + last


def read_files(paths: list[Path]) -> None:
    """The limit: read the beginning of each message, and the whole mbox."""
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        while os.read(fd, READ_BYTES if path.suffix == ".mbox" else FIRST_READ_BYTES) and path.suffix == ".mbox":
            pass
        os.close(fd)


def measure(directory: Path, rounds: int = ROUNDS) -> Iterator[str]:
    """Yield the lines of the table."""
    with tempfile.TemporaryDirectory(dir=directory) as name:
        total = write_store(Path(name), MESSAGES)
        paths = sorted(path for path in Path(name).rglob("*") if path.is_file())
        shares = [paths[k::JOBS] for k in range(JOBS)]
        taken: dict[str, list[float]] = {}
        for _ in range(rounds + 1):  # the first round warms the cache
            taken.setdefault("limit (read only)", []).append(_seconds(lambda: _together(shares)))
            taken.setdefault("eximacl harvest", []).append(_seconds(lambda: _harvest(Path(name))))
        yield f"{MESSAGES:,} messages, {total / 1e6:,.0f} MB, one in {ONE_IN_MBOX} in an mbox; {JOBS} processes"
        yield f"{'':20}{'messages/s':>12}{'of limit':>10}{'goal':>10}"
        limit, ours = (MESSAGES / median(each[1:]) for each in taken.values())
        yield f"{'limit (read only)':20}{limit:>12,.0f}"
        yield f"{'eximacl harvest':20}{ours:>12,.0f}{ours / limit:>10.2f}{f'≥ {GOAL_RATE:,}':>10}"
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        yield f"memory of its largest process: at most {memory:.0f} MB"


def _seconds(run: Callable[[], None]) -> float:
    begun = time.monotonic()
    run()
    return time.monotonic() - begun


def _together(shares: list[list[Path]]) -> None:
    fork = get_context("fork")
    processes = [fork.Process(target=read_files, args=(share,)) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _harvest(store: Path) -> None:
    command = [sys.executable, "-m", "eximacl", "harvest", str(store), "--domain", "example.org", "--jobs", str(JOBS)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    if done.returncode or f"{MESSAGES:,} messages read" not in done.stderr:
        raise BenchError(f"eximacl harvest has not read all:\n{done.stderr}")


def main() -> None:
    """Run this one alone."""
    with tempfile.TemporaryDirectory(prefix="eximacl-bench-") as name, suppress(KeyboardInterrupt):
        for line in measure(Path(name)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
