"""What one client can make the daemon write does not take Exim's space: mail is accepted, and judged, all the same."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.checks.greylist import NEW_MAX
from eximacl.records.journal import journal_files
from eximacl.state import SqliteState
from tests.archive.holding import small_disk
from tests.cli.running import eximacl
from tests.lab import Daemon, Lab, Names, Site, reverse_zone
from tests.lab.mails import NAMES
from tests.smtp.real import attempt

MB = 1_000_000
DISK_MB = 100
# A fifth of the disk has to stay free; Exim itself wants 10 MB (check_spool_space).
MARK_MB = 20
RECIPIENTS = 10_000
# As few as state.rows allows.
ROWS = 1000
BURST = 500
POLICY = """
[server]
socket = "{dir}/e.sock"
mode = "0666"
[state]
url = "sqlite:{dir}/state.db"
[log]
rejections = "{dir}/rejections.jsonl"
[journal]
dir = "{dir}/journal"
[policy]
domains = ["example.org"]
order = ["valid_recipient"]
"""
VALID = """
[checks.valid_recipient]
recipients = ["steve"]
"""

GREYLIST = """
[checks.greylist]
action = "defer"
"""


@pytest.fixture
def disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk with Exim's spool, its logs, and all that the daemon writes."""
    path = Path(tempfile.mkdtemp(prefix="disk-", dir=home))
    path.chmod(0o755)
    with small_disk(path, f"size={DISK_MB * MB},mode=755"):
        monkeypatch.setattr(tempfile, "tempdir", str(path))
        yield path


def flood(lab: Lab, recipient: str) -> None:
    """Name a recipient again and again, as fast as Exim takes it, after a greeting of 16 kB."""
    with lab.client("127.0.1.3") as client:
        client.reply()
        client.ask("EHLO " + ("a" * 60 + ".") * 260 + "example")
        client.ask("MAIL FROM:<a@example.net>")
        for _ in range(RECIPIENTS // BURST):
            client.send(*[f"RCPT TO:<{recipient}>"] * BURST)
            for _ in range(BURST):
                client.reply()


def name_each(lab: Lab, recipients: list[str]) -> set[str]:
    """Name recipients, as fast as Exim takes them, in one message of one client; return the codes of the replies."""
    with lab.client("127.0.2.3") as client:
        client.reply()
        client.ask("EHLO mx.example.net")
        client.ask("MAIL FROM:<a@example.net>")
        client.send(*[f"RCPT TO:<{recipient}>" for recipient in recipients])
        return {client.reply()[:9] for _ in recipients}


def bounce(lab: Lab, recipients: int) -> str:
    """Send a bounce to very many recipients; return the reply to the message."""
    with lab.client("127.0.1.3") as client:
        client.reply()
        client.ask("EHLO mx.example.net")
        client.ask("MAIL FROM:<>")
        for start in range(0, recipients, BURST):
            client.send(*[f"RCPT TO:<steve+{number}@example.org>" for number in range(start, start + BURST)])
            for _ in range(BURST):
                assert client.reply().startswith("250")
        client.ask("DATA")
        return client.ask("Subject: hello", "", "text", ".")


def log_elsewhere(lab: Lab, home: Path) -> None:
    """Have Exim log to another disk: from 4.98 on it writes the whole greeting into two logs for each refusal."""
    for name in ("mainlog", "rejectlog"):
        path, other = lab.log / name, home / f"flood-{name}"
        other.touch()
        os.chown(other, lab.spool.stat().st_uid, lab.spool.stat().st_gid)
        path.unlink(missing_ok=True)
        path.symlink_to(other)


def free_mb(path: Path) -> float:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize / MB


def test_a_flood_leaves_exim_its_space(disk: Path, home: Path) -> None:
    config = disk / "eximacl.toml"
    config.write_text(POLICY.format(dir=disk) + VALID)
    macros = {"EXIMACL_SOCKET": f"{disk}/e.sock"}
    with (
        Names(reverse_zone(NAMES)) as names,
        Daemon(config, disk / "e.sock", disk / "daemon.log"),
        Lab(Site(macros=macros), names=names) as lab,
    ):
        log_elsewhere(lab, home)
        assert attempt(lab, "steve@example.org").startswith("250")
        (disk / "ballast").write_bytes(bytes(int((free_mb(disk) - MARK_MB - 3) * MB)))
        flood(lab, "nobody@example.org")
        assert free_mb(disk) > MARK_MB - 5  # Exim's own logs have grown, too
        assert attempt(lab, "steve@example.org").startswith("250")
        assert attempt(lab, "nobody@example.org").startswith("550 5.1.1")
        status = json.loads(eximacl("status", "--json", "--config", config).out)
        assert status["counts"] == {"accept": 2, "reject": RECIPIENTS + 1, "defer": 0, "hold": 0, "dry": 0, "error": 0}
        assert all("MB are free there" in problem for problem in status["problems"])
        assert len(status["problems"]) == 2
        log = (disk / "daemon.log").read_text()
        assert log.count("free space there") == 2
        # With space again, all goes on by itself.
        (disk / "ballast").unlink()
        refused = attempt(lab, "nobody@example.org")
    [reference] = re.findall(r"ref=(\w+)", refused)
    assert reference in (disk / "rejections.jsonl").read_text()
    assert sum(path.stat().st_size for path in journal_files(disk / "journal")) > MB


def test_a_bounce_to_thousands_waits_once(disk: Path) -> None:
    config = disk / "eximacl.toml"
    config.write_text(POLICY.format(dir=disk).replace('order = ["valid_recipient"]', 'order = ["greylist"]') + GREYLIST)
    macros = {"EXIMACL_SOCKET": f"{disk}/e.sock"}
    with (
        Names(reverse_zone(NAMES)) as names,
        Daemon(config, disk / "e.sock", disk / "daemon.log"),
        Lab(Site(macros=macros), names=names) as lab,
    ):
        assert bounce(lab, 4 * BURST).startswith("451 4.7.1 greylisted")
    state = SqliteState(disk / "state.db")
    assert len(state.sightings("greylist-", time.time())) == 1
    state.close()


def test_one_client_does_not_switch_greylisting_off(home: Path) -> None:
    """A tag makes no other recipient, and a client that begins too many triplets waits as a whole."""
    with tempfile.TemporaryDirectory(dir=home) as name:
        path = Path(name)
        path.chmod(0o755)
        config = path / "eximacl.toml"
        policy = POLICY.replace('order = ["valid_recipient"]', 'order = ["greylist"]') + GREYLIST
        config.write_text(policy.format(dir=path).replace("[log]", f"rows = {ROWS}\n[log]"))
        with (
            Names(reverse_zone(NAMES)) as names,
            Daemon(config, path / "e.sock", path / "daemon.log"),
            Lab(Site(macros={"EXIMACL_SOCKET": f"{path}/e.sock"}), names=names) as lab,
        ):
            for recipient in ("steve+{}@example.org", "n{}@example.org"):
                assert name_each(lab, [recipient.format(number) for number in range(ROWS + 100)]) == {"451 4.7.1"}
            assert attempt(lab, "steve@example.org").startswith("451 4.7.1 greylisted")
            assert json.loads(eximacl("status", "--json", "--config", config).out)["problems"] == []
        state = SqliteState(path / "state.db")
        assert len(state.sightings("greylist-", time.time())) == 1 + (NEW_MAX - 1) + 1 + 1
        state.close()
