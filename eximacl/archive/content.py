"""The bytes of an archived message: compared with its envelope, shown to a person, written to a file."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO, NamedTuple

from eximacl.archive.errors import ArchiveError
from eximacl.archive.index import Message, entered, open_message
from eximacl.mail.view import View, view

# Enough for every text; what follows in a message this long is attachments.
SHOWN_BYTES = 20 * 1024 * 1024
COPY_BYTES = 1024 * 1024


class Shown(NamedTuple):
    """A message for a person to read.

    altered: it is not what was received. view: of its first SHOWN_BYTES; rest: whether there is more.
    """

    altered: bool
    view: View
    rest: bool


def show(message: Message, shown_bytes: int = SHOWN_BYTES) -> Shown:
    """Read a message for a person. Raises NoSuchMessage, ArchiveError."""
    with _opened(message) as file:
        altered = is_altered(file, message)
        data = file.read(shown_bytes)
        return Shown(altered, view(data), bool(file.read(1)))


def export(message: Message, target: BinaryIO) -> bool:
    """Write a message byte for byte; return whether it is not what was received.

    Raises NoSuchMessage, ArchiveError; OSError where `target` cannot be written.
    """
    with _opened(message) as file:
        altered = is_altered(file, message)
        shutil.copyfileobj(file, target, COPY_BYTES)
    return altered


def export_to(message: Message, path: Path) -> bool:
    """Write a message to a new file that only its owner may read; return whether it is not what was received.

    Raises NoSuchMessage, ArchiveError; then there is no such file, except where it was there before.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ArchiveError(f"{path} exists already; it stays as it is") from None
    except OSError as error:
        raise ArchiveError(f"{path}: {error.strerror}") from None
    try:
        with os.fdopen(fd, "wb") as target:
            return export(message, target)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ArchiveError(f"{path}: {error.strerror}; it was deleted again") from None
        raise


def _opened(message: Message) -> BinaryIO:
    """Open a message with the rights of the archive's owner. Raises NoSuchMessage, ArchiveError."""
    with entered(message.day.root):
        return open_message(message)


def is_altered(file: BinaryIO, message: Message) -> bool:
    """Whether a message is not what was received, by the SHA-256 in its envelope. Leaves the file at its beginning."""
    digest = hashlib.sha256()
    while chunk := file.read(COPY_BYTES):
        digest.update(chunk)
    file.seek(0)
    return message.envelope is None or digest.hexdigest() != message.envelope.sha256
