"""What the daemon does at intervals: a task that fails is tried again, and what is old goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.archive.hold import Archiver
from eximacl.config import load
from eximacl.daemon import upkeep
from eximacl.daemon.recorder import Recorder
from eximacl.daemon.sockets import open_socket
from eximacl.daemon.upkeep import (
    ClockWatch,
    PolicyWatch,
    SocketWatch,
    StateWatch,
    Upkeep,
    delete_old_records,
    forget_addresses,
    prune_state,
    refresh_lists,
    shrink_records,
)
from eximacl.policy.places import AddressChange
from eximacl.policy.state import PRUNE_ROWS
from eximacl.protocol.exim import build_query
from eximacl.state import MemoryState, SqliteState
from eximacl.system.systemd import Notifier
from tests.archive.holding import ID, archive_at, held, names_in, spool_with
from tests.asking import Dead
from tests.daemon.running import CONFIG, until
from tests.state.toy import Mood, ToyServer, ToyState


async def test_a_regular_task_that_fails_is_tried_again_until_it_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    async def fail() -> None:
        calls.append(1)
        raise RuntimeError("broken")

    tasks = Upkeep()
    tasks.every(0.001, fail)
    await until(lambda: len(calls) > 1)
    await tasks.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert "a regular task failed; the next try is in 0.001 s" in caplog.text
    assert "broken" in caplog.text


def test_a_change_of_the_policy_is_logged_once(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch = PolicyWatch(load(config))
    assert watch.look() == ""
    config.write_text(CONFIG + "# more\n")
    assert [watch.look(), watch.look()] == [watch.stale] * 2
    assert caplog.messages == [watch.stale]
    config.write_text(CONFIG)
    assert watch.look() == ""


async def test_a_damaged_state_is_told_while_the_daemon_still_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state?%20 .db"
    state = SqliteState(path)
    for number in range(2000):
        state.first_seen(f"key {number}", float(number), 1e12)
    watch = StateWatch(f"sqlite:{path}")
    await watch.look()
    assert (watch.damage, caplog.text) == ("", "")
    state.close()
    data = bytearray(path.read_bytes())
    data[8192:40960] = bytes(32768)
    path.write_bytes(data)
    for _ in range(2):
        await watch.look()
    assert watch.damage.startswith(f"state.url: {path} is damaged (")
    assert caplog.messages == [watch.damage]
    path.write_bytes(b"not a database" * 1000)
    await watch.look()
    assert "file is not a database" in watch.damage


async def test_a_state_without_a_file_is_not_looked_at() -> None:
    watch = StateWatch("memory:")
    await watch.look()
    assert watch.damage == ""


async def test_a_changed_list_is_read_again(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "eximacl")
    loaded = load(config)
    for text, words in (("ru\nsa\n", "tlds has changed and was read again"), ("a b c d\n", "tlds")):
        (config.parent / "tlds").write_text(text)
        for _ in range(2):  # it is read once it has been still from one look to the next
            await refresh_lists(loaded.sources)
        assert words in caplog.text
        caplog.clear()


async def test_as_much_is_pruned_as_there_is() -> None:
    state = MemoryState()
    for number in range(PRUNE_ROWS + 1):
        state.count(str(number), 1, 1, 1000.0)
    await prune_state(state)
    assert state.prune(time.time()) == 0


async def test_a_state_that_cannot_be_pruned_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = SqliteState(tmp_path / "state.db")
    state.close()
    await prune_state(state)
    assert "state.db: Cannot operate on a closed database" in caplog.text


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ToyServer]:
    with ToyServer(tmp_path / "toy.sock") as server:
        yield server


@pytest.mark.parametrize(("mood", "words"), [("cut", "Ran out of input"), ("silent", "did not answer within 0.1 s")])
async def test_a_dead_state_is_pruned_when_it_is_back(
    server: ToyServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mood: Mood, words: str
) -> None:
    monkeypatch.setattr(upkeep, "PRUNE_ANSWER_SECONDS", 0.1)
    server.mood = mood
    await prune_state(ToyState(server.path))
    assert words in caplog.text
    server.mood = "answers"
    server.state.first_seen("key", 1000.0, 1001.0)
    await prune_state(ToyState(server.path))
    assert server.state.prune(time.time()) == 0


async def test_old_days_of_the_journal_and_old_messages_are_deleted(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config.write_text(CONFIG + '[archive]\ndir = "archive"\nkeep_days = 3\n')
    old = config.parent / "journal" / "2001-01-01.mpk"
    old.parent.mkdir()
    old.touch()
    archive = archive_at(config.parent / "archive")
    archive.store(held(spool_with(config.parent / "spool"), time=time.time() - 10 * 86_400))
    caplog.set_level("INFO", "eximacl")
    settings = load(config).settings
    recorder = Recorder(settings)
    leap = ClockWatch(iter((0.0, 40 * 86_400.0)).__next__, iter((0.0, 3600.0)).__next__)
    await delete_old_records(recorder, settings, leap)
    assert old.exists()
    assert "the clock was set" in caplog.text
    await delete_old_records(recorder, settings, ClockWatch())
    recorder.close()
    assert not old.exists()
    assert names_in(archive.root) == []
    assert [line for line in caplog.messages if "(ref 7KQ2M9D4, " in line and "archive.keep_days" in line]


DAY = 86_400.0


@pytest.mark.parametrize(
    ("wall", "believed"),
    [
        pytest.param((0, 3600, 7200), [True, True], id="right"),
        pytest.param((0, 3605, 7195), [True, True], id="corrected by seconds"),
        pytest.param((0, 3600 + 40 * DAY, 7200), [False, False], id="ahead for a while"),
        pytest.param((0, 3600 + 40 * DAY, 7200 + 40 * DAY), [False, True], id="set ahead for good"),
        pytest.param((50 * DAY, 3600, 7200), [False, True], id="set right after a start in the future"),
    ],
)
def test_a_clock_that_leaps_is_not_believed(wall: tuple[float, ...], believed: list[bool]) -> None:
    watch = ClockWatch(iter(wall).__next__, iter((0.0, 3600.0, 7200.0)).__next__)
    assert [watch.believable() for _ in wall[1:]] == believed


async def test_a_lost_socket_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    listener = open_socket(tmp_path / "s")
    watch = SocketWatch([listener], Notifier({}))
    await watch.look()
    assert watch.lost == ()
    (tmp_path / "s").unlink()
    for _ in range(3):
        await watch.look()
    assert len(watch.lost) == len(caplog.messages) == 1
    listener.close()


@pytest.mark.parametrize(
    ("days", "leap", "kept"),
    [(0, 0.0, True), (30, 0.0, False), (365, 0.0, True), (30, 3600.0, True)],
    ids=["never", "too old", "not old enough", "the clock leapt"],
)
async def test_addresses_that_nobody_writes_to_are_forgotten(days: int, leap: float, kept: bool) -> None:
    state, long_ago = MemoryState(), time.time() - 100 * 86_400
    for number in range(3):
        state.revise(f"{number}", long_ago, AddressChange("steve@example.org", 3))
    watch = ClockWatch(iter((0.0, leap)).__next__, iter((0.0, 0.0)).__next__)
    await forget_addresses(state, days, watch)
    assert len(state.all_known(time.time())) == (3 if kept else 0)


async def test_a_state_that_cannot_forget_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    await forget_addresses(Dead("forget_known"), 30, ClockWatch())
    assert "the disk is gone" in caplog.text


async def test_a_burst_of_held_mail_is_bounded_within_a_minute(config: Path) -> None:
    home = config.parent
    config.write_text(
        config.read_text() + '[archive]\ndir = "archive"\nkeep_mb = 1\nfree_mb = 0\nsendmail = "/bin/true"\n'
    )
    settings = load(config).settings
    archiver = Archiver(settings)
    spool = spool_with(home / "spool", bytes(300_000))
    values = {"ip": "192.0.2.7", "tx": "1", "from": "a@example.net", "rcpts": "joe@example.org", "id": ID}
    asked = build_query("data", {**values, "spool": str(spool), "headers": "X: y\n", "held": "7KQ2M9D4"}, time.time())
    for _ in range(5):
        assert isinstance(await archiver.archive(asked, time.time()), tuple)
    recorder = Recorder(settings)
    await shrink_records(recorder, settings, archiver)
    assert len(names_in(home / "archive")) in (2, 3)
    recorder.close()
