"""A state that cannot be written: mail goes on as `on_unknown` says, and the admin is told."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.archive.holding import small_disk
from tests.daemon.running import CONFIG, control, query, running

GREYLIST = """
[checks.greylist]
action = "defer"
"""


async def test_a_full_state_disk_is_told_once_and_good_mail_passes(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "eximacl")
    text = CONFIG.replace('"valid_recipient", "rdns_tld"', '"valid_recipient", "greylist"')
    text = text.replace('[checks.rdns_tld]\ntlds = "tlds"', GREYLIST).replace("sqlite:state.db", "sqlite:disk/state.db")
    config.write_text(text)
    disk = config.parent / "disk"
    disk.mkdir()
    with small_disk(disk, "size=1m"):
        async with running(config):
            with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
                while True:
                    ballast.write(bytes(4096))
            answers = [
                await query(config, tx=str(number), **{"from": f"s{number}@example.net"}) for number in range(40)
            ]
            assert {reply.verdict for reply in answers} <= {"accept", "defer"}  # the first may still find room
            assert [reply.verdict for reply in answers[-20:]] == ["accept"] * 20
            problems = (await control(config, "status"))["problems"]
            assert [problem.rpartition(": ")[2] for problem in problems] == ["database or disk is full"]
            assert caplog.text.count("the state could not answer a question") == 1


async def test_a_policy_that_waits_for_a_reload_is_told(config: Path) -> None:
    async with running(config):
        before = await control(config, "status")
        assert (before["stale"], before["problems"]) == (False, [])
        config.write_text(CONFIG.replace('["steve"]', '["bob"]'))
        status = await control(config, "status")
        assert status["stale"]
        assert "after it was read: eximacl reload" in status["problems"][0]
        await control(config, "reload")
        assert (await control(config, "status"))["problems"] == []
