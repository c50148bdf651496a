"""Changing what is archived: releases are written down, messages deleted, and only one process does so at a time.

No message is ever without its envelope: an envelope is replaced in one step, and deleted after its message. An envelope
that a crash leaves behind is cleared by a purge. To release or delete a message, hold the lock of its day.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from eximacl.archive.envelope import ReleaseNote, format_envelope
from eximacl.archive.errors import ArchiveError, NoSuchMessage
from eximacl.archive.index import Message, locate, places, read_envelope
from eximacl.system.files import PRIVATE_FILE_MODE, replace_file
from eximacl.system.locks import directory_lock


@contextlib.contextmanager
def locked(*messages: Message) -> Iterator[list[Message]]:
    """Wait until no other process releases or deletes messages of these days, and let none do so meanwhile.

    Yields the messages as they are now, with what others have written down. Raises NoSuchMessage, ArchiveError.
    """
    with ExitStack() as stack:
        # Each day once, and all in the order of their paths, so that two processes never wait for each other.
        for day in sorted({message.day for message in messages}):
            try:
                stack.enter_context(directory_lock(day.path, follow=False))
            except FileNotFoundError:
                raise NoSuchMessage(f"{day.path} is no longer in the archive; it was purged") from None
            except OSError as error:
                raise ArchiveError(f"{day.path}: {error.strerror}") from None
        yield list(map(_current, messages))


def _current(message: Message) -> Message:
    path = locate(message.day, message.name)
    envelope = read_envelope(message.day.envelope(message.name))
    return dataclasses.replace(message, path=path, envelope=envelope, problem="")


def mark_released(message: Message, released: Iterable[ReleaseNote]) -> Message:
    """Write down all releases of a message in its envelope, on the disk; return the message with them.

    The caller holds `locked`. Raises ArchiveError; then the envelope is as it was.
    """
    path = message.day.envelope(message.name)
    envelope = dataclasses.replace(read_envelope(path), released=tuple(released))
    try:
        replace_file(path, format_envelope(envelope), mode=PRIVATE_FILE_MODE, follow=False)
    except OSError as error:
        raise ArchiveError(f"{path}: {error.strerror}; the release is not written down") from None
    return dataclasses.replace(message, envelope=envelope, problem="")


def delete(message: Message) -> None:
    """Delete a message, wherever a mail client has moved it to, and its envelope. Deleting it twice is harmless.

    Raises ArchiveError.
    """
    try:
        for path in places(message.day, message.name):
            path.unlink(missing_ok=True)
        message.day.envelope(message.name).unlink(missing_ok=True)
    except OSError as error:
        raise ArchiveError(f"{error.filename}: {error.strerror}; it cannot be deleted") from None
