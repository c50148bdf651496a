"""Changing what is archived: releases written down, messages deleted. Rule: no message is ever without its envelope.

So an envelope is replaced in one step, and deleted after its message; what a crash leaves in between, a purge clears.
Whoever releases or deletes a message holds the lock of its day.
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
    """Keep all others out who would release or delete these messages (or others of their days) meanwhile.

    Yields them as they are now, so that a release by somebody else is seen. Waits for them.
    Raises NoSuchMessage, ArchiveError.
    """
    with ExitStack() as stack:
        # Each once, and in the order of their paths, so that two never wait for each other.
        for day in sorted({message.day for message in messages}):
            try:
                stack.enter_context(directory_lock(day.path))
            except FileNotFoundError:
                raise NoSuchMessage(f"{day.path} is not in the archive any more; it was purged") from None
            except OSError as error:
                raise ArchiveError(f"{day.path}: {error.strerror}") from None
        yield list(map(_current, messages))


def _current(message: Message) -> Message:
    path = locate(message.day, message.name)
    envelope = read_envelope(message.day.envelope(message.name))
    return dataclasses.replace(message, path=path, envelope=envelope, problem="")


def mark_released(message: Message, released: Iterable[ReleaseNote]) -> Message:
    """Write all releases of a message down in its envelope, and return the message with them. Hold `locked`.

    They are on the disk when this returns. Raises ArchiveError; then the envelope is as it was.
    """
    path = message.day.envelope(message.name)
    envelope = dataclasses.replace(read_envelope(path), released=tuple(released))
    try:
        replace_file(path, format_envelope(envelope), mode=PRIVATE_FILE_MODE, follow=False)
    except OSError as error:
        raise ArchiveError(f"{path}: {error.strerror}; the release is not written down") from None
    return dataclasses.replace(message, envelope=envelope, problem="")


def delete(message: Message) -> None:
    """Delete a message, wherever a mail client has moved it to, and its envelope. Twice is harmless.

    Raises ArchiveError.
    """
    try:
        for path in places(message.day, message.name):
            path.unlink(missing_ok=True)
        message.day.envelope(message.name).unlink(missing_ok=True)
    except OSError as error:
        raise ArchiveError(f"{error.filename}: {error.strerror}; it cannot be deleted") from None
