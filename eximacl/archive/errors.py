"""What can go wrong with the archive. Each text names the setting, the path, and what to do.

ArchiveError
├── SpoolError        Exim's part of the message cannot be read whole: its body, or its headers
├── NoSuchMessage     the archive does not have the message, or no longer
├── AlteredMessage    the message is not the one that was received
├── AlreadyReleased   the message was released before, or may have been
└── ReleaseError      Exim did not take the message
    └── MaybeReleased     it is not known whether Exim took it
"""

from __future__ import annotations


def reason_of(error: OSError) -> str:
    """Return why something of the archive cannot be read, and who may."""
    denied = isinstance(error, PermissionError)
    return f"{error.strerror}; only root and the archive's group may read it" if denied else str(error.strerror)


class ArchiveError(Exception):
    """Something cannot be archived, read from the archive, or changed in it."""


class SpoolError(ArchiveError):
    """Exim's part of a message cannot be read."""


class NoSuchMessage(ArchiveError):
    """A message is not in the archive, or no longer."""


class AlteredMessage(ArchiveError):
    """A message is not the one that was received."""


class AlreadyReleased(ArchiveError):
    """A message was released before, or may have been."""


class ReleaseError(ArchiveError):
    """Exim did not take a message."""


class MaybeReleased(ReleaseError):
    """It is not known whether Exim took a message."""
