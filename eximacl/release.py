"""Handing an archived message back to Exim: its own bytes, its own envelope, one header more in front.

Rule: a message counts as handed over only when Exim's sendmail interface has said so; whatever else happens is a
`ReleaseError` that says what Exim said.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import BinaryIO

HEADER = "X-Eximacl-Released"

# Exim takes 50 MB in some seconds; a minute and more is spent only in an administrator's own ACL.
SENDMAIL_SECONDS = 300.0
# What Exim says fits into a few lines; a program that is no Exim may say anything.
SAID_BYTES = 4096

# Exim specification, chapter "The Exim command line".
#   -bnq  leave unqualified addresses in headers as they are      -G    no fixups of a message submitted locally
#   -oep  tell errors on stderr; the default mails them to the sender, who may be anybody
#   -i    a line with a single dot is text                        -f    the envelope sender
_OPTIONS = ("-bnq", "-G", "-oep", "-i")
_DOT_ATOM = re.compile(r"[^\s\"\\()<>\[\]:;@,.\x00-\x1f\x7f]+(?:\.[^\s\"\\()<>\[\]:;@,.\x00-\x1f\x7f]+)*")
_USER = re.compile(r"[^A-Za-z0-9._-]")


class ReleaseError(Exception):
    """Exim did not take the message; the text says why."""


def current_user(environ: Mapping[str, str]) -> str:
    """Return who runs this: the user before sudo, else the one whose process it is."""
    try:
        name = environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return _USER.sub("_", name)


def release_header(ref: str, now: float, by: str) -> bytes:
    """Return the header that a released message gets, its newline included."""
    date = format_datetime(datetime.fromtimestamp(now, UTC).astimezone())
    return f"{HEADER}: {ref} {date} by {by}\n".encode("ascii")


def sendmail_arguments(sender: str, recipients: Sequence[str]) -> list[str]:
    """Return the arguments for an envelope; an empty sender is the null sender. Raises ReleaseError."""
    if not recipients:
        raise ReleaseError("there is nobody to send it to")
    for address in (sender, *recipients):
        if any(char < " " or char == "\x7f" for char in address):
            raise ReleaseError(f"{address!r} holds control characters; name a recipient with --to")
    return [*_OPTIONS, "-f", _path(sender) or "<>", "--", *map(_path, recipients)]


def deliver(
    message: BinaryIO, header: bytes, arguments: Sequence[str], sendmail: Path, seconds: float = SENDMAIL_SECONDS
) -> None:
    """Give `header` and then all of `message` to a sendmail program, and return when it has taken them.

    Raises ReleaseError, and OSError where the message cannot be read.
    """
    with tempfile.TemporaryFile() as said:
        try:
            # Not a pipe: Exim delivers in the background, and keeps these open until it has.
            process = subprocess.Popen([sendmail, *arguments], stdin=subprocess.PIPE, stdout=said, stderr=said)
        except OSError as error:
            raise ReleaseError(f"{sendmail} cannot be run: {error.strerror}; name another with --sendmail") from None
        late = threading.Timer(seconds, process.kill)
        late.start()
        try:
            _feed(process, header, message)
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            late.cancel()
        if status:
            said.seek(0)
            raise ReleaseError(_failure(sendmail, status, said.read(SAID_BYTES).decode("utf-8", "replace"), seconds))


def _feed(process: subprocess.Popen[bytes], header: bytes, message: BinaryIO) -> None:
    """Write it all. A program that stops reading will say why by its exit status."""
    pipe = process.stdin
    assert pipe is not None
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(header)
        shutil.copyfileobj(message, pipe, 1024 * 1024)


def _failure(sendmail: Path, status: int, said: str, seconds: float) -> str:
    words = " ".join(said.split()) or "and said nothing"
    if status < 0:
        return f"{sendmail} was ended by signal {-status} (it has {seconds:.0f} s): {words}; see Exim's log"
    return f"{sendmail} did not take the message (exit status {status}): {words}"


def _path(address: str) -> str:
    """Return an address as a command line takes it: Exim's own variables have no quotes around a localpart."""
    localpart, at, domain = address.rpartition("@")
    if not at or _DOT_ATOM.fullmatch(localpart) or (localpart[:1] == localpart[-1:] == '"' and len(localpart) > 1):
        return address
    quoted = localpart.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"@{domain}'
