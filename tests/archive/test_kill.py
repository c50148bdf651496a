"""`kill -9` at any moment of archiving: what is in `new/` is whole, and what was reported as archived is there."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from eximacl.archive import messages, purge
from eximacl.archive.retention import LEFTOVER_SECONDS
from tests.archive.holding import HOST, NOON, archive_at, files_in, held, names_in, spool_with, whole
from tests.state.forks import Child, Tell


@pytest.mark.parametrize("seed", range(24))
def test_kill_9(tmp_path: Path, seed: int) -> None:
    """Two processes archive messages of every size for two domains; one is killed, then the other."""
    dice = random.Random(seed)
    root = tmp_path / "archive"
    archive_at(root)
    sizes = [0, 3000, 70_000, 3_000_000]
    spools = [spool_with(tmp_path / f"spool{size}", dice.randbytes(size)) for size in sizes]

    def work(tell: Tell) -> None:
        archive = archive_at(root)
        mine = random.Random(seed)
        while True:
            stored = archive.store(held(mine.choice(spools), "joe@a.example", "ann@b.example"))
            tell(" ".join(one.filename for one in stored))

    with Child(work) as first, Child(work) as second:
        lines = [first.line() for _ in range(dice.randrange(1, 12))]
        for _ in range(dice.randrange(30_000)):
            pass
        first.kill()
        lines += first.rest()
        lines.append(second.line())
        second.kill()
        lines += second.rest()
    reported = [name for line in lines for name in line.split()]
    found = names_in(root)
    assert set(reported) <= set(found)
    assert all(map(whole, messages(root)))
    # Killed after its last rename and before its line: at most one message of each, with its two copies.
    assert len(found) <= len(reported) + 4
    purge(root, keep_days=0, keep_mb=0, now=2 * NOON + LEFTOVER_SECONDS)
    after = files_in(root)
    assert names_in(root) == found
    assert [path for path in after if "/tmp/" in path] == []
    assert sum("/envelope/" in path for path in after) == len(found)
    assert all(HOST in name for name in found)
