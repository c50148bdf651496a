"""What is in the archive: found by reference, by time, by what the log is searched for too.

Reading changes nothing, and a damaged or missing envelope never hides its message.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from eximacl.archive.envelope import Envelope, format_envelope, parse_envelope
from eximacl.archive.errors import ArchiveError, NoSuchMessage, reason_of
from eximacl.archive.layout import KEY, Day, base_name, day_start, stem, time_in
from eximacl.records.decisions import find as find_decisions
from eximacl.records.errors import RecordsError
from eximacl.records.references import time_of
from eximacl.records.search import Wanted
from eximacl.system.files import open_regular
from eximacl.system.users import rights_of_owner, user_name

# The 2 MiB of recipients that a query may have, each byte escaped, and once more for a release.
MAX_ENVELOPE_BYTES = 32 * 1024 * 1024

LINK = "it is a symbolic link, which is not followed; put a directory there"
# From the reference, given at RCPT, to the end of the message: a few megabytes on a slow line.
NEAR_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Message:
    """An archived message.

    name: of its file, without a mail client's flags. envelope: None where it cannot be read; then `problem` says why.
    """

    path: Path
    name: str
    day: Day
    envelope: Envelope | None
    problem: str = ""

    @property
    def time(self) -> float:
        """When it was held, in seconds since 1970; also where its envelope is damaged."""
        return self.envelope.time if self.envelope else float(time_in(self.name) or 0)

    @property
    def size(self) -> int:
        """Its bytes; 0 where its envelope is damaged."""
        return self.envelope.size if self.envelope else 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON shows it: its envelope, and where it is."""
        known = json.loads(format_envelope(self.envelope)) if self.envelope else {}
        problem = {"problem": self.problem} if self.problem else {}
        return {**known, "domain": self.day.domain.name, "path": str(self.path), **problem}


class Match(NamedTuple):
    """A message that a search has found. compared: whether it was; its envelope may be damaged."""

    message: Message
    compared: bool


@contextlib.contextmanager
def entered(root: Path) -> Iterator[None]:
    """Work in an archive with its owner's rights where root asks (`users.rights_of_owner`). Raises ArchiveError."""
    try:
        directory = root.stat()
    except OSError as error:
        raise _unreadable(error) from None
    with rights_of_owner(directory):
        if not os.access(root, os.R_OK | os.X_OK, effective_ids=True):
            owner = user_name(directory.st_uid)
            raise ArchiveError(f"{KEY}: {root}: permission denied, also for its owner {owner}, whose rights root uses")
        yield


def messages(root: Path) -> Iterator[Message]:
    """Yield all messages in the archive, the oldest first. Raises ArchiveError."""
    for _, name, path, day in listed(root):
        yield _message(day, name, path)


def search(root: Path, wanted: Wanted) -> Iterator[Match]:
    """Yield the messages that are wanted, the oldest first, and those that cannot be compared. Raises ArchiveError.

    A check may be named by the reason, as the log has it, or by its own name.
    """
    for message in messages(root):
        envelope = message.envelope
        domain = message.day.domain.name
        entry = {"time": datetime.fromtimestamp(message.time, UTC).isoformat(), "domain": domain}
        if envelope is None:
            # Only its day and its domain are known. If they are what is wanted, the rest may be, too.
            compared = wanted.covers(entry)
            if compared or wanted.may_cover(entry):
                yield Match(message, compared)
            continue
        entry |= {"ref": envelope.ref, "from": f"<{envelope.sender}>", "recipient": ", ".join(envelope.recipients)}
        entry["ip"] = envelope.ip
        slugs = (envelope.reason, envelope.check.replace("_", "-"))
        if any(wanted.covers({**entry, "check": slug}) for slug in slugs):
            yield Match(message, compared=True)


def copies_of(root: Path, ref: str, journal: Path | None = None) -> list[Message]:
    """Return the copies of the message with a (normalised) reference, one for each domain; at least one.

    A message has the reference of its first held recipient. For those of the others, the journal knows which that is;
    None: it is not asked. Raises NoSuchMessage, with the damaged messages that it may be; ArchiveError.
    """
    copies = find(root, ref) or find(root, _reference_of_message(ref, journal))
    if copies:
        return copies
    text = f"{ref} is not in {root}: refused without being held, purged, or held on another host"
    text += f" (eximacl log --ref {ref})"
    unreadable = damaged(root, ref)
    if unreadable:
        text += "; or it is one of these, held at that time, of which only the envelope cannot be read:"
    raise NoSuchMessage("\n".join((text, *(message.problem for message in unreadable))))


def _reference_of_message(ref: str, journal: Path | None) -> str:
    """Return the reference of the message in which a recipient was held; the recipient's own where it is not known."""
    if journal is not None:
        with contextlib.suppress(RecordsError):
            return find_decisions(journal, ref)[-1].ref
    return ref


def find(root: Path, ref: str, now: float | None = None) -> list[Message]:
    """Return the copies of the message with a (normalised) reference, one for each domain; empty where there are none.

    A reference is a time, so the messages of that time are looked at first. Raises ArchiveError.
    """
    when = time_of(ref, time.time() if now is None else now)
    near = sorted(listed(root), key=lambda entry: abs(entry[0] - when))
    for _, name, path, day in near:
        first = _message(day, name, path)
        if first.envelope and first.envelope.ref == ref:
            copies = [_message(other_day, other, at) for _, other, at, other_day in near if stem(other) == stem(name)]
            return sorted(copies, key=lambda copy: copy.path)
    return []


def damaged(root: Path, ref: str, now: float | None = None) -> list[Message]:
    """Return the messages of a reference's time whose envelope cannot be read: one may be what it refers to.

    Raises ArchiveError.
    """
    when = time_of(ref, time.time() if now is None else now)
    near = [entry for entry in listed(root) if abs(entry[0] - when) < NEAR_SECONDS]
    return [message for _, name, path, day in near if (message := _message(day, name, path)).envelope is None]


def open_message(message: Message) -> BinaryIO:
    """Open a message, wherever a mail client has moved it to. Raises NoSuchMessage, ArchiveError."""
    try:
        try:
            return open_regular(message.path, follow=False)
        except FileNotFoundError:
            return open_regular(locate(message.day, message.name), follow=False)
    except OSError as error:
        raise ArchiveError(f"{message.path}: {reason_of(error)}") from None


def locate(day: Day, name: str) -> Path:
    """Return where a message is now. Raises NoSuchMessage."""
    for path in places(day, name):
        return path
    raise NoSuchMessage(f"{day.path}: {name} is no longer in the archive; it was deleted or purged")


def places(day: Day, name: str) -> Iterator[Path]:
    """Yield each file of a message; it has one, unless a copy was put back. Raises ArchiveError."""
    for directory in (day.new, day.cur):
        for file_name in _names(directory):
            if base_name(file_name) == name:
                yield directory / file_name


def days(root: Path) -> list[Day]:
    """Return each domain's days, the oldest first. Raises ArchiveError for an archive that cannot be read."""
    try:
        domains = [path for path in root.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError as error:
        raise _unreadable(error) from None
    found = [Day(domain / name) for domain in domains for name in _names(domain) if day_start(name) is not None]
    return sorted((day for day in found if not day.path.is_symlink()), key=lambda day: (day.path.name, day.path))


def listed(root: Path) -> list[tuple[float, str, Path, Day]]:
    """Return time, name, path and day of all messages, the oldest first, without their envelopes. Raises ArchiveError.

    A file whose name is not one of ours, since a person put it there, has the time at which its day began. Two files
    with one name (a backup that was put back) are one message.
    """
    found = []
    for day in days(root):
        first = day_start(day.path.name) or 0
        paths = {
            base_name(file_name): directory / file_name
            for directory in (day.new, day.cur)
            for file_name in _names(directory)
        }
        found += [(time_in(name) or first, name, path, day) for name, path in paths.items()]
    return sorted(found)


def read_envelope(path: Path) -> Envelope:
    """Read an envelope. Raises ArchiveError."""
    try:
        with open_regular(path, follow=False) as file:
            return parse_envelope(file.read(MAX_ENVELOPE_BYTES))
    except OSError as error:
        raise ArchiveError(f"{path}: {reason_of(error)}") from None
    except ValueError as error:
        raise ArchiveError(f"{path}: {error}") from None


def names(directory: Path) -> list[str]:
    """Return the names in a directory; none where it is missing, since it was purged. Raises OSError.

    What a symbolic link leads to is not in the archive, and a purge must not delete it.
    """
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        if directory.is_symlink():
            raise OSError(errno.ELOOP, LINK, str(directory)) from None
        raise
    try:
        with os.scandir(fd) as entries:
            return [entry.name for entry in entries]
    finally:
        os.close(fd)


def _message(day: Day, name: str, path: Path) -> Message:
    try:
        return Message(path, name, day, read_envelope(day.envelope(name)))
    except ArchiveError as error:
        return Message(path, name, day, None, str(error))


def _names(directory: Path) -> list[str]:
    """Return what is in a directory, without what a mail client hides there. Raises ArchiveError."""
    try:
        return [name for name in names(directory) if not name.startswith(".")]
    except NotADirectoryError:
        return []
    except OSError as error:
        raise _unreadable(error) from None


def _unreadable(error: OSError) -> ArchiveError:
    return ArchiveError(f"{KEY}: {error.filename}: {reason_of(error)}")
