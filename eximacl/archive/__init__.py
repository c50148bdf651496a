"""The archive of held messages: kept byte for byte, found by reference, shown, released, purged.

A message's life in the order of the modules: hold, spool, store, index, content, release, retention. Nothing here
decides whether a message is held or released, and only `store` writes messages.
"""

from __future__ import annotations

from eximacl.archive.change import delete, locked, mark_released
from eximacl.archive.envelope import Envelope, ReleaseNote
from eximacl.archive.errors import ArchiveError, NoSuchMessage, SpoolError
from eximacl.archive.index import Message, damaged, find, messages, open_message
from eximacl.archive.retention import Purge, Purged, purge
from eximacl.archive.spool import refusal
from eximacl.archive.store import Archive, Held, Stored
from eximacl.mail.subject import logged_subject, readable

__all__ = [
    "Archive",
    "ArchiveError",
    "Envelope",
    "Held",
    "Message",
    "NoSuchMessage",
    "Purge",
    "Purged",
    "ReleaseNote",
    "SpoolError",
    "Stored",
    "damaged",
    "delete",
    "find",
    "locked",
    "logged_subject",
    "mark_released",
    "messages",
    "open_message",
    "purge",
    "readable",
    "refusal",
]
