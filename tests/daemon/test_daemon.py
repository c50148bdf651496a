"""The daemon as a whole: what it serves, how it reloads and stops, and what it tells systemd."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from eximacl.config import load
from eximacl.daemon import daemon as daemon_module
from eximacl.daemon.daemon import FIRST_PROBE_SECONDS, Daemon, StartError, needs_restart
from eximacl.dns.list_health import LISTS_ALL
from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from tests.archive.holding import HEADERS, ID, names_in, small_disk, spool_with
from tests.daemon.running import CONFIG, PATIENCE_SECONDS, RCPT, control, query, running, until
from tests.lab import replies
from tests.lab.names import Names
from tests.lab.replies import Zone


async def test_answers_by_its_policy_and_records_it(config: Path) -> None:
    async with running(config):
        reply = await query(config)
        assert (reply.verdict, reply.reason) == ("reject", "rdns-tld")
        assert (await query(config, host="mx.example.net")).verdict == "accept"
    line = json.loads((config.parent / "rejections.jsonl").read_text())
    assert line["ref"] == reply.ref
    assert list((config.parent / "journal").iterdir())
    assert not (config.parent / "eximacl.sock").exists()


async def test_a_reload_swaps_the_policy(config: Path) -> None:
    async with running(config):
        config.write_text(
            CONFIG.replace('order = ["valid_recipient", "rdns_tld"]', 'order = ["valid_recipient"]').replace(
                "[checks.rdns_tld]\ntlds", "#"
            )
        )
        assert (await query(config)).verdict == "reject"
        assert await control(config, "reload") == {"problems": [], "kept": [], "accepted": [], "notes": []}
        assert (await query(config)).verdict == "accept"


async def test_sighup_reloads(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "eximacl")
    async with running(config):
        config.write_text(CONFIG.replace('["steve"]', '["bob"]'))
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: f"reloaded {config}" in caplog.messages)
        assert (await query(config)).reason == "unknown-recipient"


async def test_a_bad_policy_is_refused_and_the_old_one_stays(config: Path) -> None:
    async with running(config):
        config.write_text(CONFIG.replace("tlds = ", "tdls = "))
        answer = await control(config, "reload")
        assert "did you mean tlds?" in answer["problems"][0]
        assert (await query(config)).reason == "rdns-tld"
        status = await control(config, "status")
        assert status["problems"] == status["refused"]
        told = status["refused"][0]
        assert told.startswith("the reload of 20")
        assert told.endswith(f" was refused: {answer['problems'][0]}; once that is mended: eximacl reload")
        config.write_text(CONFIG)
        assert await control(config, "reload") == {"problems": [], "kept": [], "accepted": [], "notes": []}
        assert (await control(config, "status"))["problems"] == []


async def test_a_reload_that_was_asked_for_meanwhile_sees_later_changes(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first load has read the file already when it changes and the second is asked for."""
    read, go = threading.Event(), threading.Event()

    def slow(path: Path) -> Any:
        loaded = load(path)
        read.set()
        assert go.wait(PATIENCE_SECONDS)
        return loaded

    async with running(config) as daemon:
        monkeypatch.setattr("eximacl.daemon.daemon.load", slow)
        first = asyncio.create_task(daemon.reload())
        await asyncio.to_thread(read.wait)
        config.write_text(CONFIG.replace('["steve"]', '["bob"]'))
        second = asyncio.create_task(daemon.reload())
        await asyncio.sleep(0)
        go.set()
        assert [await first, await second] == [(), ()]
        assert (await query(config)).reason == "unknown-recipient"


async def test_a_reload_is_finished_when_nobody_waits_for_it(
    config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server gives a command ten seconds; a policy with very long lists takes longer."""
    caplog.set_level("INFO", "eximacl")
    go = threading.Event()

    def slow(path: Path) -> Any:
        assert go.wait(PATIENCE_SECONDS)
        return load(path)

    async with running(config) as daemon:
        monkeypatch.setattr("eximacl.daemon.daemon.load", slow)
        config.write_text(CONFIG.replace('["steve"]', '["bob"]'))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(daemon.reload(), 0.05)
        go.set()
        await until(lambda: f"reloaded {config}" in caplog.messages)
        assert (await query(config)).reason == "unknown-recipient"


async def test_a_list_is_read_again_without_a_reload(config: Path) -> None:
    async with running(config):
        assert (await query(config, host="mx.example.su")).verdict == "accept"
        (config.parent / "tlds").write_text("sa\nsu\n")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (await query(config, host="mx.example.su")).verdict != "reject":
            assert time.monotonic() < deadline, "the list was not read again"
            await asyncio.sleep(0.05)


async def test_a_bad_list_keeps_its_old_entries(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(config):
        (config.parent / "tlds").write_text("not a domain\n")
        await until(lambda: "stays in force" in caplog.text)
        assert (await query(config)).reason == "rdns-tld"


async def test_a_socket_that_was_deleted_is_a_problem(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(config) as daemon:
        assert daemon.status()["problems"] == []
        (config.parent / "eximacl.sock").unlink()
        await until(lambda: daemon.status()["problems"])
        (problem,) = daemon.status()["problems"]
    assert "eximacl.sock is gone" in problem
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [problem]


async def test_a_spool_that_cannot_be_read_is_a_problem(
    config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Looked at when it starts and when it reloads."""
    whys = iter(("at the start", "at the reload", ""))
    monkeypatch.setattr(daemon_module, "spool_problem", lambda _: next(whys))
    async with running(config) as daemon:
        await until(lambda: daemon.status()["problems"] == ["at the start"])
        assert daemon.status()["refused"] == []
        assert await control(config, "reload") == {
            "problems": [],
            "kept": [],
            "accepted": [],
            "notes": ["at the reload"],
        }
        assert daemon.status()["problems"] == ["at the reload"]
        await daemon.reload()
        assert daemon.status()["problems"] == []
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "at the start",
        "at the reload",
    ]


async def test_status(config: Path) -> None:
    async with running(config):
        await query(config)
        status = await control(config, "status")
    assert status["counts"]["reject"] == 1
    assert status["pid"] == os.getpid()
    assert status["config"] == str(config)
    assert status["records"]["journal"]["dropped"] == 0


LISTS = """
[dns]
servers = ["{server}"]
budget = {budget}
[checks.dnsbl]
zones = ["bl.example"]
"""
WELL: Zone = {("2.0.0.127.bl.example", "A"): ["127.0.0.2"], ("7.2.0.192.bl.example", "A"): ["127.0.0.2"]}


def with_lists(config: Path, server: str, budget: float = 0.3) -> None:
    text = CONFIG.replace('"rdns_tld"]', '"dnsbl"]').partition("[checks.rdns_tld]")[0]
    config.write_text(text + LISTS.format(server=server, budget=budget))


async def test_the_first_mail_after_a_start_finds_the_lists_tried_out(config: Path) -> None:
    slow: Zone = {("2.0.0.127.bl.example", "A"): replies.Reply(["127.0.0.2"], delay_seconds=0.1)}
    with Names({**WELL, **slow}) as names:
        with_lists(config, names.address)
        async with running(config):
            assert (await query(config)).reason == "dnsbl-listed"


async def test_a_list_that_lists_everybody_refuses_nobody_while_it_is_tried_out(config: Path) -> None:
    """Its test points are told after the first mails have come: after a start, or a reload that changes [dns]."""
    late = replies.Reply(["127.0.0.2"], delay_seconds=FIRST_PROBE_SECONDS + 0.5)
    points = {(f"{last}.0.0.127.bl.example", "A"): late for last in (1, 2)}
    with Names({("*.bl.example", "A"): ["127.0.0.2"], **points}) as names:
        with_lists(config, names.address)
        async with running(config) as daemon:
            assert (await query(config)).verdict == "accept"
            await until(lambda: daemon.status()["dns"]["faults"].get("bl.example") == LISTS_ALL)
            with_lists(config, names.address, 0.4)
            assert (await daemon.reload(), (await query(config)).verdict) == ((), "accept")
            assert daemon.status()["dns"]["faults"]["bl.example"] == LISTS_ALL, "what was known is known"


async def test_a_state_without_room_is_a_problem(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its checks accept what they cannot count, so that nothing else would show it."""
    disk = config.parent / "disk"
    disk.mkdir()
    with small_disk(disk, "size=256k"):
        config.write_text(
            CONFIG.replace("sqlite:state.db", f"sqlite:{disk}/state.db")
            .replace('"rdns_tld"]', '"rate"]')
            .replace('[checks.rdns_tld]\ntlds = "tlds"', "[checks.rate]\nwindows.hour.client = 1000")
        )
        async with running(config):
            assert (await query(config)).verdict == "accept"
            assert (await control(config, "status"))["problems"] == []
            (disk / "filler").write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
            for number in range(200):
                assert (await query(config, ip=f"192.0.2.{number}")).verdict == "accept"
            (problem,) = (await control(config, "status"))["problems"]
            assert re.fullmatch(r"the state did not answer \d+ questions, the last at .*: .*disk is full", problem)
    assert caplog.text.count("the state could not answer a question") == 1


async def test_a_silent_list_does_not_keep_the_daemon_from_serving(config: Path) -> None:
    with Names({("*.bl.example", "A"): replies.SILENT, ("2.0.0.127.bl.example", "A"): replies.SILENT}) as names:
        with_lists(config, names.address)
        async with running(config):
            assert (await query(config)).verdict == "accept"


async def test_a_second_daemon_does_not_start(config: Path) -> None:
    async with running(config):
        with pytest.raises(StartError, match="another eximacl serves"):
            await Daemon(load(config), {}).run()


async def test_a_state_that_cannot_be_opened(config: Path) -> None:
    (config.parent / "state.db").write_text("this is no database, and it is long enough to be told from one" * 20)
    with pytest.raises(StartError, match=r"state\.db"):
        Daemon(load(config), {})


async def test_a_held_message_is_kept_and_a_reload_changes_where(config: Path) -> None:
    held = {"rcpts": "steve@example.org", "held": "7KQ2M9D4", "headers": HEADERS, "id": ID}
    held["spool"] = str(spool_with(config.parent / "spool"))
    async with running(config):
        for table, text in (('dir = "one"', "archived"), ('dir = "two"', "archived"), ("", "not archived")):
            config.write_text(f"{CONFIG}[archive]\n{table}\n")
            assert (await control(config, "reload"))["problems"] == []
            assert (await query(config, "data", **held)).log == f"eximacl: held, {text} (ref=7KQ2M9D4)"
        told = "held, but not archived: 1 since the start, the last one 7KQ2M9D4: archive.dir is not set any more"
        assert (await control(config, "status"))["problems"] == [told]
    assert [len(names_in(config.parent / name)) for name in ("one", "two")] == [1, 1]


async def test_an_archive_that_cannot_be_stops_a_start_and_a_reload(config: Path) -> None:
    (config.parent / "file").touch()
    async with running(config):
        config.write_text(CONFIG + '[archive]\ndir = "file"\n')
        (problem,) = (await control(config, "reload"))["problems"]
        assert problem.startswith(f"archive.dir: {config.parent}/file is not a directory; create it")
        (told,) = (await control(config, "status"))["problems"]
        assert f" was refused: {problem}; " in told
        assert (await query(config)).reason == "rdns-tld"
    with pytest.raises(StartError, match=r"^archive\.dir: .*/file is not a directory"):
        Daemon(load(config), {})


async def test_a_reload_tells_what_needs_a_restart(config: Path) -> None:
    async with running(config):
        config.write_text(CONFIG.replace("eximacl.sock", "other.sock"))
        for _ in range(2):
            notes = (await control(config, "reload"))["notes"]
            assert notes == ["[server] has changed: that takes effect when the daemon is restarted"]
        assert (await control(config, "status"))["notes"] == notes


def test_what_a_reload_cannot_change_is_named(config: Path) -> None:
    old = load(config)
    config.write_text(CONFIG.replace("eximacl.sock", "other.sock").replace("state.db", "other.db"))
    assert [line.split()[0] for line in needs_restart(old, load(config))] == ["[server]", "state.url"]
    assert needs_restart(old, old) == []


async def test_tells_systemd(config: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = config.parent / "notify"
        manager.bind(str(path))
        manager.setblocking(False)
        environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "20000", "WATCHDOG_PID": str(os.getpid())}
        told = []

        def listen() -> bool:
            with contextlib.suppress(BlockingIOError):
                told.append(manager.recv(4096).decode())
            return "WATCHDOG=1" in told

        async with running(config, environ):
            await until(listen)
            await control(config, "reload")
        while not told[-1].startswith("STOPPING=1"):
            listen()
    assert told[0].startswith("READY=1\nSTATUS=serving ")
    reloading = next(index for index, text in enumerate(told) if text.startswith("RELOADING=1\nMONOTONIC_USEC="))
    assert any(text.startswith("READY=1") for text in told[reloading:])


# The process itself: what only a process of its own can show.


def start(config: Path, *prefix: str, **kinds: Any) -> subprocess.Popen[str]:
    command = [*prefix, sys.executable, "-m", "eximacl", "serve", "-v", "--config", str(config)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **kinds)


def wait_for(process: subprocess.Popen[str], words: str) -> str:
    """Read the log until it has `words`; the whole of it on failure."""
    assert process.stderr
    seen = ""
    for line in process.stderr:
        seen += line
        if words in line:
            return seen
    raise AssertionError(f"the daemon ended without {words!r}:\n{seen}")


def test_sigterm_answers_what_was_received(config: Path) -> None:
    process = start(config)
    wait_for(process, "serves")
    clients = []
    for _ in range(50):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(str(config.parent / "eximacl.sock"))
        clients.append(client)
    process.send_signal(signal.SIGSTOP)
    for client in clients:
        client.sendall(format_query("rcpt", RCPT))
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    for client in clients:
        with client:
            assert client.makefile("rb").read().startswith(b"verdict=reject")
    assert process.wait(PATIENCE_SECONDS) == 0
    assert len((config.parent / "rejections.jsonl").read_text().splitlines()) == 50
    process.communicate()


def test_a_socket_from_systemd_is_served_and_left(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "activated.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        fd = listener.fileno()
        script = f'exec 3<&{fd}; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=eximacl; exec "$@"'
        process = start(config, "bash", "-c", script, "sh", pass_fds=(fd,))
        wait_for(process, "serves eximacl")
        assert ask(path, format_query("rcpt", RCPT)).verdict == "reject"
        process.terminate()
        process.communicate()
        assert path.exists()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting:
            waiting.connect(str(path))  # the next daemon will find it in the backlog


def test_after_kill_9_the_next_one_takes_the_socket(config: Path) -> None:
    process = start(config)
    wait_for(process, "serves")
    process.kill()
    process.communicate()
    assert (config.parent / "eximacl.sock").exists()
    process = start(config)
    wait_for(process, "serves")
    assert ask(config.parent / "eximacl.sock", format_query("rcpt", RCPT)).verdict == "reject"
    process.terminate()
    process.communicate()


def test_a_bad_policy_is_refused_at_the_start(config: Path) -> None:
    config.write_text(CONFIG.replace("tlds = ", "tdls = ").replace("recipients = ", "recipient = "))
    process = start(config)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 78
    assert "checks.rdns_tld.tdls" in errors
    assert "checks.valid_recipient.recipient" in errors
