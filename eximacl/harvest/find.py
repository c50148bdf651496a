"""Finding mail below a path. Each directory is read once, whatever links lead to it, and an unreadable one is skipped.

A directory with `cur` in it is a Maildir; its folders are below it, as Maildir++ (`.Sent`) or Dovecot's `LAYOUT=fs` has
them. In any other directory, files that end in `.eml` are messages and files that begin with `From ` are mboxes.
"""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from eximacl.harvest.mbox import LEADING_BYTES_MAX, is_mbox, open_mbox
from eximacl.harvest.message import Broken, is_mail
from eximacl.harvest.read import Chunk, note, read_header
from eximacl.harvest.tally import Troubles
from eximacl.system.files import Identity, identity_of

MESSAGE_SUFFIX = ".eml"
# Spam comes to any localpart, a draft may never be sent, and the trash may have both.
EXCLUDED_FOLDERS = (
    "Junk", "Junk E-mail", "Junk Email", "Spam", "Trash", "Deleted Items", "Deleted Messages", "Drafts",
)  # fmt: skip
# Long enough that handing over a piece of work costs nothing, short enough that all processes end together; and the
# names of that many files fit into a pipe (64 KiB), so that handing them over never waits.
CHUNK_FILES = 250
CHUNK_BYTES = 8 * 1024 * 1024
# An mbox is weighed in messages, for the progress bar.
BYTES_PER_MESSAGE = 16 * 1024

SourceKind = Literal["maildir", "messages", "mbox", "message"]


class Source(NamedTuple):
    """Mail that was found. files: how many a directory has; size: of an mbox, in bytes, 0 where it is compressed."""

    kind: SourceKind
    path: str
    files: int = 0
    size: int = 0

    @property
    def weight(self) -> int:
        """About how many messages it holds."""
        return self.files or self.size // BYTES_PER_MESSAGE + 1


class MailSource(NamedTuple):
    """What one PATH was taken for.

    excluded: folders that were skipped; others: how many files are not mail; again: a part of it was read before.
    """

    path: Path
    sources: tuple[Source, ...]
    excluded: tuple[str, ...] = ()
    others: int = 0
    again: bool = False


class NoMail(Exception):
    """There is no mail at a PATH; the text says what was looked for."""


class Walk:
    """Goes through paths. troubles: what could not be read; excluded: names of folders to skip, in any case."""

    def __init__(self, excluded: Iterable[str] = EXCLUDED_FOLDERS) -> None:
        self.troubles = Troubles()
        self._excluded = frozenset(name.lower() for name in excluded)
        self._known: set[Identity] = set()

    def find(self, path: Path) -> MailSource:
        """Return the mail at or below a path. Raises NoMail, and OSError where the path itself cannot be read."""
        if stat.S_ISDIR(path.stat().st_mode):
            with os.scandir(path):
                pass  # raises where it cannot be read
            return self._tree(path)
        source = _source(str(path))
        if source is None:
            raise NoMail(f"{path} is not mail: neither an mbox (its first line would begin with From) nor a message")
        new = self._is_new(str(path))
        return MailSource(path, (source,) if new else (), again=not new)

    def _tree(self, path: Path) -> MailSource:
        tree = _Tree(self.troubles, self._excluded, self._is_new)
        tree.walk(str(path))
        if not (tree.sources or tree.excluded or tree.seen_before):
            raise NoMail(
                f"{path} holds no mail: no Maildir (a directory with cur in it), no mbox and no file that ends in .eml"
            )
        return MailSource(path, tuple(tree.sources), tuple(tree.excluded), tree.others, tree.seen_before)

    def _is_new(self, path: str) -> bool:
        """Return whether a directory or an mbox comes for the first time."""
        status = os.stat(path)  # noqa: PTH116 (paths are text here: a store has hundreds of thousands)
        key = identity_of(status)
        new = key not in self._known
        self._known.add(key)
        return new


class _Tree:
    """One walk through a directory and all below it."""

    def __init__(self, troubles: Troubles, excluded: frozenset[str], is_new: Callable[[str], bool]) -> None:
        self.sources: list[Source] = []
        self.excluded: list[str] = []
        self.others = 0
        self.seen_before = False
        self._troubles = troubles
        self._excluded = excluded
        self._is_new = is_new

    def walk(self, path: str) -> None:
        """Read the directory and all below it. No recursion: mail stores of broken programs are deep."""
        waiting = [path]
        while waiting:
            directory = waiting.pop()
            try:
                if self._is_new(directory):
                    waiting += self._read(directory)
                else:
                    self.seen_before = True
            except OSError as error:
                note(self._troubles, directory, error)

    def _read(self, directory: str) -> list[str]:
        """Read one directory; return those below it."""
        names, files, messages = self._entries(directory)
        if messages:
            self.sources.append(Source("messages", directory, messages))
        maildir = "cur" in names or {"new", "tmp"} <= set(names)
        if maildir:
            for name in ("cur", "new"):
                if name in names:
                    self._add_maildir(f"{directory}/{name}")
            names = [name for name in names if name not in ("cur", "new", "tmp")]
        else:
            self._add_files(directory, files)
        below = []
        for name in sorted(names, reverse=True):
            if self._is_excluded(name):
                self.excluded.append(f"{directory}/{name}")
            else:
                below.append(f"{directory}/{name}")
        return below

    def _entries(self, directory: str) -> tuple[list[str], list[str], int]:
        """Return the directories and files in a directory, and how many more of its files are messages."""
        directories, files, messages = [], [], 0
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    if entry.is_dir():
                        directories.append(entry.name)
                    elif _is_message(entry.name):
                        messages += 1
                    elif entry.is_file():
                        files.append(entry.name)
                except OSError as error:
                    note(self._troubles, entry.path, error)
        return directories, files, messages

    def _add_maildir(self, path: str) -> None:
        try:
            if self._is_new(path):
                with os.scandir(path) as entries:
                    self.sources.append(Source("maildir", path, sum(1 for _ in entries)))
        except OSError as error:
            note(self._troubles, path, error)

    def _add_files(self, directory: str, names: list[str]) -> None:
        for name in sorted(names):
            path = f"{directory}/{name}"
            try:
                source = _mbox(path)
                if source is None:
                    self.others += 1
                elif self._is_excluded(name.partition(".")[0] or name):
                    self.excluded.append(path)
                elif self._is_new(path):
                    self.sources.append(source)
            except OSError as error:
                note(self._troubles, path, error)

    def _is_excluded(self, name: str) -> bool:
        """Return whether a folder is skipped: by its own name, or that of a Maildir++ folder above it."""
        parts = name[1:].split(".") if name.startswith(".") else [name]
        return any(part.lower() in self._excluded for part in parts)


def chunks(sources: Iterable[Source], troubles: Troubles) -> Iterator[Chunk]:
    """Yield the pieces of work one by one, so that only a few names are in memory at a time."""
    for source in sources:
        if source.kind == "mbox":
            yield from _mbox_chunks(source)
            continue
        if source.kind == "message":
            directory, _, name = source.path.rpartition("/")
            yield Chunk("files", directory or ("/" if source.path.startswith("/") else "."), (name,), weight=1)
            continue
        try:
            yield from _file_chunks(source)
        except OSError as error:
            note(troubles, source.path, error)


def _file_chunks(source: Source) -> Iterator[Chunk]:
    names: list[str] = []
    of_maildir = source.kind == "maildir"
    with os.scandir(source.path or ".") as entries:
        for entry in entries:
            other = entry.name.startswith(".") if of_maildir else not _is_message(entry.name)
            if other or _is_directory(entry):
                continue
            names.append(entry.name)
            if len(names) == CHUNK_FILES:
                yield Chunk("files", source.path, tuple(names), weight=CHUNK_FILES)
                names.clear()
    if names:
        yield Chunk("files", source.path, tuple(names), weight=len(names))


def _is_message(name: str) -> bool:
    return name.lower().endswith(MESSAGE_SUFFIX)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself: reading it will say what is wrong
        return False


def _mbox_chunks(source: Source) -> Iterator[Chunk]:
    """Yield the parts of an mbox. A compressed one is a single part: it can only be read from its beginning."""
    if not source.size:
        yield Chunk("mbox", source.path, weight=source.weight)
    for start in range(0, source.size, CHUNK_BYTES):
        end = min(start + CHUNK_BYTES, source.size)
        yield Chunk("mbox", source.path, (), start, end, (end - start) // BYTES_PER_MESSAGE)


def _source(path: str) -> Source | None:
    """Return the mbox or the message in a file; None where there is neither. Raises OSError."""
    mbox = _mbox(path)
    if mbox is not None:
        return mbox
    try:
        return Source("message", path, 1) if is_mail(read_header(path)[0]) else None
    except (Broken, EOFError, zlib.error):
        return None


def _mbox(path: str) -> Source | None:
    """Return the mbox in a file; None where there is none. Raises OSError."""
    try:
        with open_mbox(path) as file:
            if not is_mbox(file.read(LEADING_BYTES_MAX)):
                return None
            compressed = isinstance(file, gzip.GzipFile)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return None
    return Source("mbox", path, size=0 if compressed else os.stat(path).st_size)  # noqa: PTH116 (as above)
