"""What the archive's tests share: a spool with a message in it, and held messages."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eximacl.archive import Archive, Envelope, Held, messages
from eximacl.archive.index import Message
from eximacl.mail.address import parse_address, quoted
from tests.needs import needs

ID = "1xVYtn-00005a-08"
HEADERS = "Subject: hello\nFrom: ann@example.net\n"
BODY = b"Hello.\n.\nBye.\n"
# Noon in any time zone of its day, or nearly.
NOON = 1_795_435_200.25  # 2026-11-23T12:00:00.25Z
DAY = "2026-11-23"
HOST = "mx.example.org"


def spool_with(directory: Path, body: bytes = BODY, message_id: str = ID) -> Path:
    """Make a spool with one message, as Exim would."""
    (directory / "input").mkdir(parents=True, exist_ok=True)
    (directory / "input" / f"{message_id}-D").write_bytes(f"{message_id}-D\n".encode() + body)
    return directory


def held(spool: Path, /, *recipients: str, **changed: Any) -> Held:
    """Return a message that waits in `spool`."""
    values: dict[str, Any] = {
        "ref": "7KQ2M9D4",
        "time": NOON,
        "sender": "ann@example.net",
        "recipients": tuple(quoted(parse_address(one)) for one in recipients or ("joe@example.org",)),
        "ip": "192.0.2.7",
        "host": "mx.example.net",
        "helo": "mx.example.net",
        "reason": "unknown-recipient",
        "check": "valid_recipient",
        "sentence": "Mail for joe not accepted at example.org",
        "message_id": "<1@example.net>",
        "subject": "hello",
    }
    where = {name: changed.pop(name) for name in ("headers", "spool", "id", "queue") if name in changed}
    return Held(
        envelope=Envelope(**{**values, **changed}), **{"headers": HEADERS, "spool": str(spool), "id": ID, **where}
    )


def archive_at(root: Path, group: str = "") -> Archive:
    archive = Archive(root, group, HOST)
    archive.prepare()
    return archive


def whole(message: Message) -> bool:
    """Whether a message is what its envelope says."""
    data = message.path.read_bytes()
    envelope = message.envelope
    return envelope is not None and (len(data), hashlib.sha256(data).hexdigest()) == (envelope.size, envelope.sha256)


def names_in(root: Path) -> list[str]:
    return [message.name for message in messages(root)]


def files_in(root: Path) -> list[str]:
    """Every file below `root` that is not a directory."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink())


@needs("needs_root")
@contextlib.contextmanager
def small_disk(path: Path, options: str) -> Iterator[None]:
    """Mount a disk with such options (`size=64k`) at `path`."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=750,{options}", "tmpfs", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


READ_ONLY = "mount --bind {0} {0} && mount -o remount,bind,ro {0}"


@needs("needs_root")
@contextlib.contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Let nobody, not even root, write into the directory at `path`."""
    subprocess.run(READ_ONLY.format(path), shell=True, check=True)
    try:
        yield
    finally:
        writable_again(path)


def writable_again(path: Path) -> None:
    """Undo READ_ONLY, a shell command for the directory at `path`."""
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@needs("needs_root")
@contextlib.contextmanager
def nobody(*groups: int) -> Iterator[None]:
    """Be a user without rights, in these groups, for a while."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def let_everybody_pass(path: Path) -> None:
    """Open a directory of pytest's, and all above it, to every user."""
    for directory in (path, *path.parents):
        if directory != Path("/") and not directory.stat().st_mode & 0o001:
            directory.chmod(directory.stat().st_mode | 0o005)
