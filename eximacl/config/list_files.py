"""Reading what a file or directory holds into a list. Whatever cannot be read is `Refused`, with file and line."""

from __future__ import annotations

import copy
import io
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from eximacl.config.losses import Content
from eximacl.config.problems import Missing, Refused
from eximacl.mail.entry_list import EntryList
from eximacl.system.files import open_regular, read_regular

# A list is parsed in pieces of this size, so that a long one does not keep other threads waiting.
BLOCK_CHARACTERS = 256 * 1024
# Enough to see what is wrong with a list; a wrong file (a mailbox, a binary) would otherwise fill the screen.
BAD_ENTRIES_MAX = 10
# A text becomes part of an SMTP reply of 512 bytes. A longer file is not meant as one.
TEXT_BYTES_MAX = 64 * 1024

_COMMENT = re.compile(r"(?:^|[ \t]+)#.*", re.MULTILINE)
# The byte order marks of UTF-16, read as UTF-8.
_UTF_16 = ("\udcff\udcfe", "\udcfe\udcff")
_BLANKS = " \t\r\f\v"


# Called with a list as it would be, and how much that is. Raises Refused for what is not to count.
Judge = Callable[[EntryList, Content], None]


def _anything(_entries: EntryList, _content: Content) -> None:
    return


def fill(entries: EntryList, path: Path, shown: str, judge: Judge = _anything) -> Content:
    """Put what a file or directory holds into `entries`, and return how much that is.

    judge: called before any of them count. Raises Refused, with one message for each bad entry.
    """
    try:
        mode = path.stat().st_mode
        if entries.private:
            _check_private(mode, shown)
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise Refused(f"{shown} is neither a file nor a directory")
        if stat.S_ISDIR(mode):
            return _replace(entries, [(directory_entries(path, texts=entries.texts), True)], judge)
        return _replace(entries, _blocks(path), judge)
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


def _replace(entries: EntryList, blocks: Iterable[tuple[Iterable[str], bool]], judge: Judge) -> Content:
    ended = True

    def watched() -> Iterator[Iterable[str]]:
        nonlocal ended
        for block, is_ended in blocks:
            ended = is_ended
            yield block

    fresh = copy.copy(entries)
    fresh.replace(chain.from_iterable(watched()))
    content = Content(len(fresh), ended)
    judge(fresh, content)
    entries.adopt(fresh)
    return content


def file_entries(path: Path) -> Iterator[str]:
    """Yield the entries of a file: one per line; `#` starts a comment, at the start of a line or after a blank.

    Bytes that are not UTF-8 become lone surrogates, as in queries.
    """
    return chain.from_iterable(block for block, _ in _blocks(path))


def directory_entries(path: Path, *, texts: bool = False) -> list[str]:
    """Return the names of a directory's files; with `texts`, each followed by what the file holds.

    Names that start with `.` or end in `~` (editors' files) are skipped, and so are subdirectories.
    """
    entries = kept_names(path)
    if not texts:
        return [entry.name for entry in entries]
    return [f"{entry.name} {_text(Path(entry.path))}".rstrip() for entry in entries]


def bad_lines(kind: type[EntryList], path: Path, shown: str) -> list[str]:
    """Return a message for each of the first bad lines of a file; none if it can no longer be read."""
    try:
        numbered = numbered_lines(path)
        return [f"{shown} line {number}: {reason}" for number, reason in bad_entries(kind, numbered)]
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


def _blocks(path: Path) -> Iterator[tuple[Iterable[str], bool]]:
    """Yield the entries of each block, and whether its last line has an end."""
    with _open_text(path) as file:
        while block := file.read(BLOCK_CHARACTERS):
            if block.startswith(_UTF_16) or block[1:2] == "\0":
                raise _NotTextError("is UTF-16: save it as UTF-8")
            if "\0" in block:
                raise _NotTextError("is not a text")
            block += file.readline()
            yield _entries(block), block.endswith("\n")


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


def kept_names(path: Path) -> list[os.DirEntry[str]]:
    """Return the files of a directory that are entries, by name."""
    with os.scandir(path) as entries:
        kept = [e for e in entries if not e.name.startswith(".") and not e.name.endswith("~") and not e.is_dir()]
    return sorted(kept, key=lambda entry: entry.name)


def _check_private(mode: int, shown: str) -> None:
    if not stat.S_ISREG(mode):
        raise Refused(f"{shown} is not a file; secrets come from a file, one per line")
    if mode & stat.S_IRWXO:
        raise Refused(f"{shown} holds secrets, and everyone may read or write it: chmod o= {shown}")
