"""`eximacl serve`: what it needs to start, what it logs, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from tests.cli.running import eximacl


def test_a_wrong_policy(config: Path) -> None:
    config.write_text(config.read_text().replace("tlds = ", "tdls = "))
    done = eximacl("serve")
    assert done.status == 78
    assert "did you mean tlds?" in done.err


def test_a_socket_that_cannot_be_made(config: Path) -> None:
    config.write_text(config.read_text().replace("eximacl.sock", "no/such/directory/sock"))
    done = eximacl("serve")
    assert done.status == 69
    assert "server.socket: the directory" in done.err
    assert "does not exist" in done.err


def test_a_state_that_cannot_be_opened(config: Path) -> None:
    (config.parent / "state.db").mkdir()
    done = eximacl("serve")
    assert done.status == 69
    assert "state.db" in done.err


def _ignores_sighup(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigIgn"))
    return bool(int(mask, 16) & 1)


def test_sighup_during_the_start_does_not_end_it(config: Path) -> None:
    names = "".join(f"name{number}\n" for number in range(300_000))
    (config.parent / "many").write_text(names)
    config.write_text(config.read_text().replace('recipients = ["steve", "joe"]', 'recipients = "many"'))
    command = [sys.executable, "-m", "eximacl", "serve", "--config", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not _ignores_sighup(process.pid):
        assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    while not (config.parent / "eximacl.sock").exists():
        assert process.poll() is None
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("args", "environ", "logged"),
    [
        pytest.param(("-v",), {}, "INFO eximacl", id="verbose"),
        pytest.param((), {}, "", id="only what needs attention"),
        pytest.param(("-v",), {"JOURNAL_STREAM": "8:1"}, "<6>eximacl", id="under systemd"),
    ],
)
def test_serves_until_sigterm(config: Path, args: tuple[str, ...], environ: dict[str, str], logged: str) -> None:
    command = [sys.executable, "-m", "eximacl", "serve", "--config", str(config), *args]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ)
    sock = config.parent / "eximacl.sock"
    while not sock.exists():
        assert process.poll() is None
    assert ask(sock, format_query("connect", {"ip": "192.0.2.7"})).verdict == "accept"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors.startswith(logged) if environ else logged in errors
    assert bool(errors) == bool(logged)
