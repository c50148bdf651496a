"""What keeps a message out of the archive. Rule: the text names the setting, the path and the cure.

ArchiveError
├── SpoolError      the message cannot be had whole from Exim: its body, or its headers
└── NoSuchMessage   the archive holds no such message (any more)
"""

from __future__ import annotations


def reason_of(error: OSError) -> str:
    """Return why something of the archive cannot be read, and who may."""
    denied = isinstance(error, PermissionError)
    return f"{error.strerror}; the archive is read by root and its group" if denied else str(error.strerror)


class ArchiveError(Exception):
    """Something cannot be archived, read from the archive, or changed in it."""


class SpoolError(ArchiveError):
    """Exim's part of a message cannot be had."""


class NoSuchMessage(ArchiveError):
    """A message is not, or no longer, in the archive."""
