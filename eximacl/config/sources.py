"""The files and directories behind lists, read at the start and again when they change.

If a source cannot be read, or is refused, the list keeps its entries. A source that has changed is read once it has not
changed between two calls of `refresh`, so that a half-written file never counts.
"""

from __future__ import annotations

import io
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeVar

from eximacl.config.problems import Missing, Problem, Refused, shown_path
from eximacl.mail.lists import EntryList
from eximacl.system.files import open_regular, read_regular

# A list is parsed in pieces of this size, so that a long one does not keep other threads waiting.
BLOCK_CHARACTERS = 256 * 1024
# Enough to see what is wrong with a list; a wrong file (a mailbox, a binary) would otherwise fill the screen.
BAD_ENTRIES_MAX = 10
# A text becomes part of an SMTP reply of 512 bytes. A longer file is not meant as one.
TEXT_BYTES_MAX = 64 * 1024
# A policy or a check has a few kilobytes; a wrong file (a disk image, a device behind a link) would fill the memory.
SOURCE_BYTES_MAX = 4 * 1024 * 1024
# Time stamps have a resolution of some milliseconds, on old file systems of a second or two. A file that was read this
# soon after its last change may have changed again without a trace, so it is read once more.
SETTLED_NANOSECONDS = 2_000_000_000

_COMMENT = re.compile(r"(?:^|[ \t]+)#.*", re.MULTILINE)
# The byte order marks of UTF-16, read as UTF-8.
_UTF_16 = ("\udcff\udcfe", "\udcfe\udcff")
_BLANKS = " \t\r\f\v"

L = TypeVar("L", bound=EntryList)
# Of a file or directory: change of content, change of name or mode, size, inode. None: it cannot be looked at.
Signature = tuple[tuple[int, int, int, int], ...] | None


class Refreshed(NamedTuple):
    """What a `refresh` did. changed: paths of the sources that were read again; problems: the new ones."""

    changed: tuple[str, ...]
    problems: tuple[Problem, ...]


class Sources:
    """All files and directories that the lists of one configuration come from."""

    def __init__(self, home: Path, clock: Callable[[], int] = time.time_ns) -> None:
        self._home = home
        self._clock = clock
        self._sources: dict[tuple[Path, type[EntryList]], _Source] = {}

    def open(self, path: Path, kind: type[L]) -> L:
        """Return the list at the absolute `path`, which is read unless it was before. Raises Refused."""
        source = self._sources.get((path, kind))
        if source is None:
            source = _Source(path, shown_path(path, self._home), kind(), self._clock)
            self._sources[path, kind] = source
        if not source.read:
            source.fill()
        assert isinstance(source.entries, kind)
        return source.entries

    def refresh(self) -> Refreshed:
        """Read what has changed. Each list is swapped in one step, so any thread may use the lists meanwhile.

        Raises nothing for bad sources: a problem is returned once, and again only after a further change.
        Only one thread may call this.
        """
        changed: list[str] = []
        problems: list[Problem] = []
        for source in self._sources.values():
            try:
                if source.refresh():
                    changed.append(source.shown)
            except Refused as refused:
                keeps = f"{refused}; the {len(source.entries)} entries read before stay in force"
                problems.append(Problem(source.shown, "", keeps))
        return Refreshed(tuple(changed), tuple(problems))

    def files(self) -> Iterator[Path]:
        """Yield each file and directory that was read: those of the lists, and the texts in a directory of them."""
        for source in self._sources.values():
            if not source.read:  # a list that may be missing, and is
                continue
            yield source.path
            if source.entries.texts and source.path.is_dir():
                yield from (Path(entry.path) for entry in _directory(source.path))

    def __len__(self) -> int:
        return len(self._sources)


class _Source:
    """One file or directory, and the list that its entries fill."""

    __slots__ = ("_clock", "_pending", "_settled", "_signature", "entries", "path", "read", "shown")

    def __init__(self, path: Path, shown: str, entries: EntryList, clock: Callable[[], int]) -> None:
        self.path = path
        self.shown = shown
        self.entries = entries
        entries.live = True
        self.read = False
        self._clock = clock
        self._signature: Signature = None
        self._pending: Signature = None
        self._settled = True

    def fill(self) -> None:
        """Read the source into the list. Raises Refused, and then the list is as it was."""
        self._signature = self._pending = self._sign()
        self._settled = True
        fill(self.entries, self.path, self.shown)
        self.read = True
        changed = max((one[1] for one in self._signature or ()), default=0)
        self._settled = abs(self._clock() - changed) > SETTLED_NANOSECONDS

    def refresh(self) -> bool:
        """Read the source if it has changed, but not since the last call; return whether it did. Raises Refused."""
        signature = self._sign()
        if signature == self._signature:
            self._pending = signature
            if not self._settled:
                self.fill()
            return False
        if signature != self._pending:
            self._pending = signature
            return False
        self.fill()
        return True

    def _sign(self) -> Signature:
        try:
            found = self.path.stat()
            signed = [found]
            if self.entries.texts and stat.S_ISDIR(found.st_mode):
                signed += [entry.stat() for entry in _directory(self.path)]
        except OSError:
            return None
        return tuple((one.st_mtime_ns, one.st_ctime_ns, one.st_size, one.st_ino) for one in signed)


def fill(entries: EntryList, path: Path, shown: str) -> None:
    """Put what a file or directory holds into `entries`. Raises Refused, with one message for each bad entry."""
    try:
        mode = path.stat().st_mode
        if entries.private:
            _check_private(mode, shown)
        if stat.S_ISDIR(mode):
            entries.replace(directory_entries(path, texts=entries.texts))
        elif stat.S_ISREG(mode):
            entries.replace(file_entries(path))
        else:
            raise Refused(f"{shown} is neither a file nor a directory")
    except OSError as error:
        # The error may be about a file in the directory: scandir and open say which.
        named = shown + str(error.filename or "").removeprefix(str(path))
        if isinstance(error, FileNotFoundError) and named == shown:
            raise Missing(f"{shown} does not exist") from None
        raise Refused(f"{named} cannot be read: {error.strerror}") from None
    except _NotTextError as error:
        raise Refused(f"{shown} {error}") from None
    except ValueError as error:
        found = [] if stat.S_ISDIR(mode) else bad_lines(type(entries), path, shown)
        raise Refused(*(found or [f"{shown}: {error}"])) from None


def file_entries(path: Path) -> Iterator[str]:
    """Yield the entries of a file: one per line; `#` starts a comment, at the start of a line or after a blank.

    Bytes that are not UTF-8 become lone surrogates, as in queries.
    """
    return chain.from_iterable(_blocks(path))


def directory_entries(path: Path, *, texts: bool = False) -> list[str]:
    """Return the names of a directory's files; with `texts`, each followed by what the file holds.

    Names that start with `.` or end in `~` (editors' files) are skipped, and so are subdirectories.
    """
    entries = _directory(path)
    if not texts:
        return [entry.name for entry in entries]
    return [f"{entry.name} {_text(Path(entry.path))}".rstrip() for entry in entries]


def bad_lines(kind: type[EntryList], path: Path, shown: str) -> list[str]:
    """Return a message for each of the first bad lines of a file; none if it can no longer be read."""
    try:
        return [f"{shown} line {number}: {reason}" for number, reason in bad_entries(kind, numbered_lines(path))]
    except OSError:
        return []


def bad_entries(kind: type[EntryList], numbered: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return number and reason of the first BAD_ENTRIES_MAX entries that `kind` refuses."""
    found: list[tuple[int, str]] = []
    for number, entry in numbered:
        try:
            kind([entry])
        except ValueError as error:
            found.append((number, str(error)))
            if len(found) == BAD_ENTRIES_MAX:
                break
    return found


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each entry of a file with the number of its line. Slow; for errors."""
    with _open_text(path) as file:
        for number, line in enumerate(file, 1):
            for entry in _entries(line.removesuffix("\n")):
                yield number, entry


class _NotTextError(ValueError):
    """A file cannot hold entries, whatever they are."""


def _blocks(path: Path) -> Iterator[Iterable[str]]:
    with _open_text(path) as file:
        while block := file.read(BLOCK_CHARACTERS):
            if block.startswith(_UTF_16) or block[1:2] == "\0":
                raise _NotTextError("is UTF-16: save it as UTF-8")
            if "\0" in block:
                raise _NotTextError("is not a text")
            yield _entries(block + file.readline())


def _entries(block: str) -> Iterable[str]:
    """Return the entries of whole lines; without a Python-level loop where there is nothing to strip."""
    if not any(char in block for char in f"#{_BLANKS}"):
        return filter(None, block.split("\n"))
    return filter(None, (line.strip(_BLANKS) for line in _COMMENT.sub("", block).split("\n")))


def _open_text(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(open_regular(path), encoding="utf-8-sig", errors="surrogateescape")


def _text(path: Path) -> str:
    """Return a short text on one line."""
    return " ".join(read_regular(path, TEXT_BYTES_MAX).decode("utf-8-sig", errors="surrogateescape").split())


def _directory(path: Path) -> list[os.DirEntry[str]]:
    with os.scandir(path) as entries:
        kept = [e for e in entries if not e.name.startswith(".") and not e.name.endswith("~") and not e.is_dir()]
    return sorted(kept, key=lambda entry: entry.name)


def _check_private(mode: int, shown: str) -> None:
    if not stat.S_ISREG(mode):
        raise Refused(f"{shown} is not a file; secrets come from a file, one per line")
    if mode & stat.S_IRWXO:
        raise Refused(f"{shown} holds secrets, and everyone may read or write it: chmod o= {shown}")
