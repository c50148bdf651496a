"""The list of recipients that a harvest writes. What a person has written is never lost unasked.

The first line is a mark with a checksum of the rest. A file without it, or changed since, has a person's work in it:
it is merged with, or replaced where that is asked for. It changes in one step, and keeps its mode and its owner.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from eximacl.harvest.tally import AddressCount
from eximacl.mail.entries import recipient
from eximacl.system.files import open_regular, replace_file, umask_mode

MARK = "# Written by eximacl harvest"
HINT = "# Changes by hand are kept with --merge only."

_MARK = re.compile(rf"{MARK}, checksum ([0-9a-f]{{16}})\n".encode())
_OWN_LINE = re.compile(rb"(?P<entry>.*?)  # \d+ mails?, \d{4}-\d\d-\d\d(?: to \d{4}-\d\d-\d\d)?")
_COMMENT = re.compile(rb"(?:^|[ \t]+)#.*")
_BLANKS = b" \t\r\f\v"
# Its reader takes a line for an entry, `#` for a comment, cuts blanks off, and takes `@…` for a whole domain.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Bytes that are not UTF-8, some of which a terminal takes for commands, too.
_C1_BYTES = re.compile("[\udc80-\udc9f]")
_RAW_BYTE = re.compile("[\udc80-\udcff]")


class ListFileError(Exception):
    """The list was not written; the text says what to do. The file is as it was."""


class ListFile:
    """The list at `path`, as it is now. Raises ListFileError where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._old = _read(path)

    def check(self, *, force: bool, merge: bool) -> None:
        """Raise ListFileError where writing would lose what a person has written."""
        if force or merge or not self._old:
            return
        match = _MARK.match(self._old)
        if match is None:
            raise ListFileError(
                f"{self.path} was not written by eximacl harvest: --merge keeps its entries, --force replaces them"
            )
        if match[1].decode() != _checksum(self._old[match.end() :]):
            raise ListFileError(
                f"{self.path} was changed by hand since it was written: --merge keeps its entries, --force drops them"
            )

    def write(self, seen: Mapping[str, AddressCount], notes: Iterable[str] = (), *, merge: bool = False) -> int:
        """Write the entries, and return how many the file then has. Raises ListFileError.

        seen: the counts by entry, each of which must be writable (`unwritable`). notes: comments for the head. merge:
        keep what is in the file, with new counts for the entries that were found again.
        """
        kept, own = self._kept(seen) if merge else ([], {})
        own.update((_bytes(spelled(entry)), _bytes(line_of(spelled(entry), each))) for entry, each in seen.items())
        for line in kept:
            own.pop(_entry(line), None)
        head = [HINT.encode(), *(_bytes(f"# {note}") for note in notes)]
        lines = [*head, *kept, *(own[entry] for entry in sorted(own, key=_order))]
        body = b"".join(line + b"\n" for line in lines)
        self._replace(f"{MARK}, checksum {_checksum(body)}\n".encode() + body)
        return len(own) + sum(1 for line in kept if _entry(line))

    def _kept(self, seen: Mapping[str, AddressCount]) -> tuple[list[bytes], dict[bytes, bytes]]:
        """Return the lines that people wrote, and our own by entry."""
        old = self._old.removeprefix(b"\xef\xbb\xbf")
        match = _MARK.match(old)
        lines = (
            old[match.end() if match else 0 :].splitlines()
            if b"\r" in old
            else old[match.end() if match else 0 :].split(b"\n")
        )
        own: dict[bytes, bytes] = {}
        others: list[bytes] = []
        for line in lines:
            found = _OWN_LINE.fullmatch(line)
            if found:
                own[found["entry"]] = line
            elif line.strip() and not (match and line.startswith((HINT.encode(), b"# Mail for ", b"# Incomplete"))):
                others.append(line)
        return others, own

    def _replace(self, data: bytes) -> None:
        try:
            # Only root can give the file to its old owner; the list is right all the same.
            # Who gets mail, and when, is not for every local user where the umask says so.
            replace_file(self.path, data, new_mode=umask_mode(), give_away=False)
        except OSError as error:
            raise ListFileError(f"{self.path} cannot be written: {error.strerror}") from None


def line_of(entry: str, seen: AddressCount) -> str:
    """Return the line of an entry: `steve@example.org  # 12 mails, 2020-01-31 to 2026-12-31`."""
    first, last = day(seen.first), day(seen.last)
    span = first if first == last else f"{first} to {last}"
    return f"{entry}  # {seen.messages} mail{'' if seen.messages == 1 else 's'}, {span}"


def spelled(entry: str) -> str:
    """Return an entry as a list has it: its localpart in quotes where a list would take it for something else."""
    localpart, at, domain = entry.rpartition("@") if "@" in entry else (entry, "", "")
    try:
        if recipient(entry)[0]:
            return entry
    except ValueError:
        pass
    escaped = localpart.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"{at}{domain}'


def unwritable(entry: str, *, localpart: bool = False) -> str:
    """Return why a list cannot hold an entry; empty where it can. localpart: the entry has no domain."""
    if _CONTROL.search(entry) or _C1_BYTES.search(entry):
        return "it has a control character in it"
    if _RAW_BYTE.search(entry):
        return "it is not UTF-8"
    if not _is_visible(entry):
        return "it has an invisible character in it"
    if entry.startswith("#") or re.search(r"\s#", entry):
        return "a # begins a comment there"
    if entry != entry.strip():
        return "it begins or ends with a blank"
    if not entry or entry.startswith("@") or (localpart and "@" in entry):
        return "an @ there means a whole domain or address"
    return ""


def _is_visible(entry: str) -> bool:
    return all(character.isprintable() or "\udc80" <= character <= "\udcff" for character in entry)


def day(seconds: float) -> str:
    """Return a point in time as a day in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def utc(seconds: float) -> str:
    """Return a point in time as ISO 8601 has it: `2026-12-31T14:30:05Z`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _order(entry: bytes) -> tuple[bytes, bytes]:
    localpart, _, domain = entry.rpartition(b"@")
    return domain, localpart


def _entry(line: bytes) -> bytes:
    return _COMMENT.sub(b"", line).strip(_BLANKS).lower()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _read(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ListFileError(f"{path} cannot be read: {error.strerror}") from None
