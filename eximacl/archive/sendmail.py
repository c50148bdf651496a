"""Giving an archived message to Exim's sendmail program: its own bytes, its own envelope, one header more in front.

Exim gets the whole message or nothing, even if we are killed in the middle. The message counts as released only when
the program has said so; anything else is a `ReleaseError` with what the program said, and a `MaybeReleased` where Exim
may have the message nevertheless.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import BinaryIO

from eximacl.archive.errors import MaybeReleased, ReleaseError
from eximacl.mail.address import is_mailbox, parse_quoted, quoted

HEADER = "X-Eximacl-Released"

# Exim takes 50 MB in a few seconds; more than a minute is only spent in an administrator's own ACL.
SENDMAIL_SECONDS = 300.0
COPY_BYTES = 1024 * 1024
# What Exim says fits into a few lines; another program may say anything.
SAID_BYTES = 4096

# Exim specification, chapter "The Exim command line".
#   -bnq  leave unqualified addresses in headers as they are      -G    no fixups of a message submitted locally
#   -oep  errors go to stderr; by default Exim mails them to the sender, who may be anyone
#   -i    a line with a single dot is text                        -f    the envelope sender
_OPTIONS = ("-bnq", "-G", "-oep", "-i")


def release_header(ref: str, now: float, by: str) -> bytes:
    """Return the header that a released message gets, its newline included."""
    date = format_datetime(datetime.fromtimestamp(now, UTC).astimezone())
    return f"{HEADER}: {ref} {date} by {by}\n".encode("ascii")


def sendmail_arguments(sender: str, recipients: Sequence[str]) -> list[str]:
    """Return the arguments for an envelope; an empty sender is the null sender. Raises ReleaseError.

    Exim reads a list of addresses in each argument; here each argument is one address, whatever its localpart holds.
    """
    if not recipients:
        raise ReleaseError("it has no recipients")
    return [*_OPTIONS, "-f", _argument(sender) if sender else "<>", "--", *map(_argument, recipients)]


def deliver(
    message: BinaryIO, header: bytes, arguments: Sequence[str], sendmail: Path, seconds: float = SENDMAIL_SECONDS
) -> None:
    """Give `header` and then all of `message` to a sendmail program, and return when it has taken them.

    Raises ReleaseError.
    """
    with tempfile.TemporaryFile() as said, _letter(header, message) as letter:
        try:
            # Its output is not a pipe: Exim delivers in the background, and would keep it open until then.
            process = subprocess.Popen(
                [sendmail, *arguments], stdin=letter, stdout=said, stderr=said, start_new_session=True
            )
        except OSError as error:
            raise ReleaseError(f"{sendmail} cannot be run: {error.strerror}; name another with --sendmail") from None
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            raise MaybeReleased(f"{sendmail} took longer than {seconds:.0f} s and was killed{_words(said)}") from None
        except BaseException:
            _end(process)
            raise
        if status < 0:
            raise MaybeReleased(f"{sendmail} was killed by signal {-status}{_words(said)}")
        if status:
            raise ReleaseError(f"{sendmail} did not take the message (exit status {status}){_words(said)}")


@contextlib.contextmanager
def _letter(header: bytes, message: BinaryIO) -> Iterator[BinaryIO]:
    """Make a file of what Exim gets. If we were killed, the end of a pipe would look like the end of the message."""
    with tempfile.TemporaryFile() as letter:
        try:
            letter.write(header)
            shutil.copyfileobj(message, letter, COPY_BYTES)
            letter.seek(0)
        except OSError as error:
            where = f"{tempfile.gettempdir()} (TMPDIR names another directory)"
            raise ReleaseError(f"the message cannot be copied to {where}: {error.strerror}") from None
        yield letter


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it with all that it has started; Exim, which is set-uid root, only if we may."""
    with contextlib.suppress(PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _words(said: BinaryIO) -> str:
    said.seek(0)
    words = " ".join(said.read(SAID_BYTES).decode("utf-8", "replace").split())
    return f": {words}" if words else " and said nothing"


def _argument(address: str) -> str:
    """Return an address as one address of a command line. Raises ReleaseError where it cannot be one."""
    found = quoted(parse_quoted(address))
    if not is_mailbox(found):
        raise ReleaseError(f"{address!r} is not an address; export the message, or name its recipients with --to")
    return found
