"""What the server allows agrees with what Exim, the policy and systemd allow."""

from __future__ import annotations

import re
from pathlib import Path

from eximacl.config.settings import SETTINGS_TABLES
from eximacl.daemon.answers import STATE_SECONDS
from eximacl.daemon.limits import Limits, Slow

ROOT = Path(__file__).parents[2]


def seconds(file: str, pattern: str) -> int:
    found = re.search(pattern, (ROOT / file).read_text())
    assert found
    return int(found[1])


def test_the_longest_answer_comes_before_exim_gives_up() -> None:
    budget = SETTINGS_TABLES["dns"].get("budget")
    assert budget is not None
    assert budget.maximum is not None
    longest = budget.maximum + STATE_SECONDS
    assert longest < seconds("exim-snippets/macros", r"EXIMACL_TIMEOUT = (\d+)s") < Limits().answer_seconds


def test_a_stop_ends_before_systemd_kills() -> None:
    limits = Limits()
    stop = seconds("debian/eximacl.service", r"TimeoutStopSec=(\d+)")
    assert limits.query_seconds + limits.slow_stop_seconds < stop


async def test_a_slow_reply_is_awaited_like_any_other() -> None:
    async def reply() -> bytes:
        return b"x"

    assert await Slow(reply()) == b"x"
