"""Changing what is archived: releases written down, messages deleted. Rule: no message is ever without its envelope.

So an envelope is replaced in one step, and deleted after its message; what a crash leaves in between, a purge clears.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
from collections.abc import Iterator

from eximacl.archive.envelope import Release, format_envelope
from eximacl.archive.errors import ArchiveError, NoSuchMessage
from eximacl.archive.files import replace_file
from eximacl.archive.reading import Message, locate, read_envelope


@contextlib.contextmanager
def locked(message: Message) -> Iterator[Message]:
    """Keep all others out who would release this message (or another of its domain and day) meanwhile.

    Yields it as it is now, so that a release by somebody else is seen. Waits for them.
    Raises NoSuchMessage, ArchiveError.
    """
    try:
        fd = os.open(message.day.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NoSuchMessage(f"{message.day.path} is not in the archive any more; it was purged") from None
    except OSError as error:
        raise ArchiveError(f"{message.day.path}: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        path = locate(message.day, message.name)
        yield dataclasses.replace(
            message, path=path, envelope=read_envelope(message.day.envelope(message.name)), problem=""
        )
    finally:
        os.close(fd)


def mark_released(message: Message, release: Release) -> Message:
    """Write a release down in the envelope, and return the message with it. Hold `locked`. Raises ArchiveError."""
    path = message.day.envelope(message.name)
    envelope = read_envelope(path)
    envelope = dataclasses.replace(envelope, released=(*envelope.released, release))
    try:
        replace_file(path, format_envelope(envelope))
    except OSError as error:
        raise ArchiveError(f"{path}: {error.strerror}; the release is not written down") from None
    return dataclasses.replace(message, envelope=envelope, problem="")


def delete(message: Message) -> None:
    """Delete a message, wherever a mail client has moved it to, and its envelope. Twice is harmless.

    Raises ArchiveError.
    """
    try:
        with contextlib.suppress(NoSuchMessage):
            locate(message.day, message.name).unlink(missing_ok=True)
        message.day.envelope(message.name).unlink(missing_ok=True)
    except OSError as error:
        raise ArchiveError(f"{error.filename}: {error.strerror}; it cannot be deleted") from None
