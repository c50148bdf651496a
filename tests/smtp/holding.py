"""A lab's Exim and the real daemon with an archive that both can reach, and mail that is held there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eximacl.archive import Message, find, messages
from eximacl.archive.layout import Day
from tests.archive.holding import small_disk
from tests.lab import Daemon, Lab, Names, Site, reverse_zone
from tests.lab.dialogue import Client
from tests.lab.exim import USER
from tests.lab.mails import NAMES

GOOD, BRAZIL = "127.0.1.1", "127.0.1.2"
# Root, but bound by the permissions of files like any user; with Exim's group, and without.
_ORDINARY = "--bounding-set=-dac_override,-dac_read_search"
IN_GROUP = (_ORDINARY, f"--groups={USER}")
NOT_IN_GROUP = (_ORDINARY, "--clear-groups")
# example.org keeps what is for nobody; example.com keeps what comes from the wrong country.
POLICY = """
[server]
socket = "{socket}"
mode = "0666"

[state]
url = "memory:"

[log]
rejections = "rejections.jsonl"

[journal]
dir = "journal"

[archive]
dir = "archive"
redact = [{redact}]

[policy]
domains = ["example.org", "example.com"]
order = ["valid_recipient", "rdns_tld"]

[checks.valid_recipient]
recipients = ["steve", "juha"]
action = "hold"

[checks.rdns_tld]
tlds = ["br"]
action = "reject"
"""
OVERLAY = """
[checks.valid_recipient]
action = "reject"

[checks.rdns_tld]
action = "hold"
"""
_REF = re.compile(r"\(ref=(\w+)\)")


@dataclass
class Holding:
    """An Exim, its daemon, and the directory that has the policy, the archive, the rejection log and the spool."""

    lab: Lab
    daemon: Daemon
    directory: Path

    @property
    def archive(self) -> Path:
        """The archive."""
        return self.directory / "archive"

    @property
    def spool(self) -> Path:
        """Exim's spool, at the same path for Exim, the daemon and us."""
        return self.directory / "spool"

    def archived(self) -> list[Message]:
        """Return all archived messages, the oldest first."""
        return list(messages(self.archive))

    def rejections(self) -> list[dict[str, Any]]:
        """Return the lines of the rejection log so far."""
        path = self.directory / "rejections.jsonl"
        return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []

    def log(self) -> str:
        """Return what the daemon has said so far."""
        return self.daemon.output.read_text()

    def send(self, message: bytes, *recipients: str, **how: Any) -> str:
        """Send a message, from a client with a good name; return the reply that decided."""
        with self.lab.client(how.pop("source", GOOD)) as client:
            return deliver(client, message, recipients or ("ghost@example.org",), **how)

    def of(self, reply: str) -> Message:
        """Return the one archived message of a reply's reference."""
        (message,) = find(self.archive, reference(reply))
        return message

    def clear(self) -> None:
        """Empty the archive."""
        for path in self.archive.iterdir():
            shutil.rmtree(path)


def deliver(client: Client, message: bytes, recipients: Sequence[str], *, chunks: int = 0, mail: str = "") -> str:
    """Send a message (its lines end in CRLF) by DATA, or by BDAT in so many chunks. `mail`: parameters of MAIL."""
    client.reply()
    client.ask("EHLO mx.example.net")
    client.ask(f"MAIL FROM:<ann@example.net>{mail}")
    for recipient in recipients:
        reply = client.ask(f"RCPT TO:<{recipient}>")
        if not reply.startswith("250"):
            return reply
    if not chunks:
        client.ask("DATA")
        client.send_bytes(b"".join(b"." * line.startswith(b".") + line for line in message.splitlines(True)) + b".\r\n")
        return client.reply()
    size = len(message) // chunks + 1
    for start in range(0, chunks * size, size):
        last = " LAST" if start + size >= chunks * size else ""
        client.send_bytes(
            f"BDAT {len(message[start : start + size])}{last}\r\n".encode() + message[start : start + size]
        )
        reply = client.reply()
    return reply


def reference(reply: str) -> str:
    """Return the reference that a refusal names; empty without one."""
    found = _REF.search(reply)
    return found[1] if found else ""


def digest(message: bytes) -> str:
    """Return the SHA-256 of a sent message as it lies in the archive: its lines end in LF."""
    return hashlib.sha256(message.replace(b"\r\n", b"\n")).hexdigest()


def half_files(archive: Path) -> list[Path]:
    """Return the files in `new/` of any day that are not what their envelopes say."""
    wrong = []
    for path in archive.glob("*/2*/new/*"):
        known = json.loads(Day(path.parents[1]).envelope(path.name).read_bytes() or b"{}")
        data = path.read_bytes()
        if (known.get("size"), known.get("sha256")) != (len(data), hashlib.sha256(data).hexdigest()):
            wrong.append(path)
    return wrong


@contextlib.contextmanager
def holding(
    main: str = "",
    *,
    files: Mapping[str, str] | None = None,
    redact: str = "",
    rights: tuple[str, ...] = (),
    small: str = "",
) -> Iterator[Holding]:
    """Start both. main, files: Exim's options, and files beside them. rights: the daemon's, as setpriv's options.
    small: the archive's disk, as tmpfs's options (`size=1m`).
    """
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eximacl-hold-")))
        directory.chmod(0o755)
        (directory / "domains").mkdir()
        (directory / "spool").mkdir()
        shutil.chown(directory / "spool", USER, USER)
        if small:
            (directory / "archive").mkdir()
            stack.enter_context(small_disk(directory / "archive", small))
        socket = directory / "eximacl.sock"
        config = directory / "eximacl.toml"
        config.write_text(POLICY.format(socket=socket, redact=redact))
        (directory / "domains" / "example.com.toml").write_text(OVERLAY)
        names = stack.enter_context(Names(reverse_zone(NAMES)))
        daemon = stack.enter_context(Daemon(config, socket, directory / "daemon.log", rights))
        wired = Site(
            macros={
                "EXIMACL_SOCKET": str(socket),
                "EXIMACL_ON_FAILURE": "defer",
                "MESSAGE_SIZE_LIMIT": "100M",
                "SPOOLDIR": f"{directory}/spool",
            },
            files=files or {},
            main=f"smtp_accept_max = 100\nsmtp_accept_max_per_host = 0\n{main}",
        )
        lab = stack.enter_context(Lab(wired, names=names))
        yield Holding(lab, daemon, directory)
        panics = lab.log / "paniclog"
        assert not panics.exists(), panics.read_text()
