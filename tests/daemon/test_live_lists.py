"""When a job rewrites the daemon's lists badly, good recipients stay good, and the daemon says why."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemon.running import CONFIG, control, query, running, until

PEOPLE = "".join(f"user{number}\n" for number in range(1000))


@pytest.fixture
def valid(config: Path) -> Path:
    """The list of recipients, `steve` and many others."""
    path = config.parent / "valid"
    path.write_text(f"{PEOPLE}steve\n")
    config.write_text(CONFIG.replace('["steve"]', '"valid"'))
    return path


async def problems(config: Path) -> list[str]:
    found: list[str] = (await control(config, "status"))["problems"]
    return found


@pytest.mark.parametrize(
    ("write", "told"),
    [
        pytest.param(
            lambda path: path.write_text("ERROR 1045 (28000): Access denied for user 'mail'\n"),
            'valid line 1: "ERROR 1045 (28000): Access denied',
            id="an error message",
        ),
        pytest.param(lambda path: path.write_bytes(PEOPLE.encode("utf-16")), "valid is UTF-16", id="UTF-16"),
        pytest.param(lambda path: path.write_text(""), "valid has 0 entries and had 1,001", id="nothing"),
        pytest.param(
            lambda path: path.write_text(PEOPLE[: len(PEOPLE) // 2]), "valid has 507", id="the first half of it"
        ),
        pytest.param(lambda path: path.unlink(), "valid does not exist", id="gone"),
    ],
)
async def test_a_good_recipient_stays_good(
    config: Path, valid: Path, caplog: pytest.LogCaptureFixture, write: Callable[[Path], object], told: str
) -> None:
    async with running(config):
        write(valid)
        await until(lambda: told in caplog.text)
        assert (await query(config, host="mx.example.net")).verdict == "accept"
        assert (await problems(config))[0].startswith(told)
        assert caplog.text.count(told) == 1
        valid.write_text("steve\njoe\n" + PEOPLE)
        await until_none(config)
        assert (await query(config, host="mx.example.net", rcpt="joe@example.org")).verdict == "accept"


async def until_none(config: Path) -> None:
    while await problems(config):
        pass


async def test_a_signal_keeps_a_list_that_lost_most_entries(
    config: Path, valid: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "eximacl")
    async with running(config):
        valid.write_text("joe\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: f"reloaded {config}" in caplog.messages)
        assert (await query(config, host="mx.example.net")).verdict == "accept"
        answer = await control(config, "reload")
        assert (answer["problems"], len(answer["kept"])) == ([], 1)
        answer = await control(config, "reload", accept="1")
        accepted = ["valid has 1 entry and had 1,001"]
        assert answer == {"problems": [], "kept": [], "accepted": accepted, "notes": []}
        assert (await control(config, "reload", accept="1"))["accepted"] == []
        assert (await query(config, host="mx.example.net")).reason == "unknown-recipient"


async def test_a_reload_lets_a_list_rest_and_says_so(config: Path, valid: Path) -> None:
    async with running(config):
        valid.write_text(PEOPLE[: PEOPLE.index("\n", len(PEOPLE) // 2) + 1])
        answer = await control(config, "reload")
        assert (answer["problems"], answer["kept"]) == ([], [])
        assert "until it has rested for 60 s" in answer["notes"][0]
        assert (await query(config, host="mx.example.net")).verdict == "accept"


async def test_a_default_list_that_is_missing_is_told(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    config.write_text(CONFIG.replace('tlds = "tlds"', ""))
    told = "eximacl.toml: checks.rdns_tld.tlds: lists/tld does not exist, so this list is empty"
    async with running(config):
        status = await control(config, "status")
        assert (status["problems"], status["notes"]) == ([], [told])
        assert told in caplog.messages
        (config.parent / "lists").mkdir()
        (config.parent / "lists/tld").write_text("sa\n")
        while (await query(config)).verdict != "reject":
            pass
        assert (await control(config, "status"))["notes"] == []
