"""Adding one entry to the exemptions of a policy: which files change, and changing them all or none.

What an administrator has written stays as it is but for that entry. The list is that of the recipient's domain
(`domains/DOMAIN.toml`, `[exempt]`), or the one for all domains. Where it is a path, the file gets a line or the
directory a file; that takes effect by itself. Where it is an array, the array gets an entry. Where there is no list,
one is made in a file, `lists/allow-…`, so that the next entry needs no change of the TOML. A change of the TOML needs
a reload.

A change is planned from a policy that was loaded without a problem, and only adds an entry that the list's own reader
takes and that exempts the mail (`exempt.entry_for`). So the changed policy need not be loaded again, as long as nobody
else has touched the files since (`Change.is_current`).
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from eximacl.config.edit import EditError, add_entry, set_key
from eximacl.config.list_files import fill
from eximacl.config.load import DOMAINS_DIRECTORY, Loaded
from eximacl.config.problems import Refused, shown_path
from eximacl.config.settings import EXEMPT_TABLE
from eximacl.config.sources import SOURCE_BYTES_MAX
from eximacl.config.values import Values
from eximacl.mail.address import canonical_domain
from eximacl.mail.entry_list import EntryList
from eximacl.system.files import PUBLIC_DIRECTORY_MODE, replace_file

TABLE = EXEMPT_TABLE.key
LISTS_DIRECTORY = "lists"
_KEYS = {"sender": "senders", "domain": "sender_domains", "ip": "ips", "host": "hosts"}
_TYPES = {option.name: option.type for option in EXEMPT_TABLE.options}
# The list for each kind of exemption, and what it holds.
LISTS: dict[str, tuple[str, type[EntryList]]] = {kind: (key, _TYPES[key]) for kind, key in _KEYS.items()}

# A file's name has at most 255 bytes, and while it is written it has a prefix and a suffix.
ENTRY_NAME_BYTES_MAX = 240


class ExemptError(Exception):
    """An exemption cannot be added; the text says what to do instead. Nothing was changed."""


class Write(NamedTuple):
    """One file to change: its content now (None: it does not exist), and then."""

    path: Path
    old: bytes | None
    new: bytes


@dataclass(frozen=True)
class Change:
    """The files to change so that `entry` is in the list `key` in `file`.

    domain: the recipients' domain that it is for; empty: all. already: the exemption that makes it unnecessary; then
    there is nothing to write. reload: whether the daemon has to reload its policy. seen: the TOML files that this was
    worked out from, with what was in them.
    """

    config: Path
    entry: str
    domain: str
    file: Path
    key: str
    seen: tuple[tuple[Path, bytes | None], ...] = ()
    writes: tuple[Write, ...] = ()
    reload: bool = False
    already: str = ""

    def is_current(self) -> bool:
        """Whether all files are still as they were when this was worked out. Raises OSError."""
        return all(_content(path) == old for path, old in (*self.seen, *(write[:2] for write in self.writes)))

    def apply(self) -> tuple[Path, ...]:
        """Write it, and return the files that were changed. Raises ExemptError; then all is as it was."""
        done: list[Write] = []
        try:
            for write in self.writes:
                _replace(write, self.config)
                done.append(write)
        except OSError as error:
            _undo(done, self.config)
            raise ExemptError(f"{error.filename or self.file}: {error.strerror}; {self.by_hand()}") from None
        return tuple(write.path for write in done)

    def by_hand(self) -> str:
        """Return what a person can do instead."""
        return f"add {self.entry} to {self.key} in {self.file} by hand, or run this as root"


def plan_change(loaded: Loaded, domain: str, key: str, list_type: type[EntryList], entry: str, comment: str) -> Change:
    """Work out which files get `entry`; nothing is changed yet. Raises ExemptError, OSError.

    domain: the canonical domain that it is for; empty: all. comment: stands beside the entry where there is room.
    """
    toml = toml_of(loaded, domain)
    seen = tuple((path, _content(path)) for path in dict.fromkeys((loaded.path, toml)))
    blank = Change(loaded.path, entry, domain, toml, f"{TABLE}.{key}", seen)
    source = source_of(loaded, domain, key)
    if source is None:
        change = _in_toml(blank, key, list_type, comment)
    elif source.is_dir():
        change = _in_directory(blank, source)
    else:
        change = replace(blank, file=source, writes=(_with_line(source, entry, list_type, comment),))
    _check_writable(change)
    return change


def lists_of(loaded: Loaded, domain: str) -> Values:
    """Return the exemptions of a domain's own file, or those for all where `domain` is empty."""
    return loaded.overlays.get(domain, {}).get(TABLE, {}) if domain else loaded.tables[TABLE]


def source_of(loaded: Loaded, domain: str, key: str) -> Path | None:
    """Return the file or directory that a list is read from; None where it is an array, or is not there."""
    lists = lists_of(loaded, domain)
    raw = lists[key].raw if key in lists else None
    return Path(os.path.normpath(toml_of(loaded, domain).parent / raw)) if isinstance(raw, str) else None


def toml_of(loaded: Loaded, domain: str) -> Path:
    """Return the file that has, or will have, the exemptions of a domain; the main file where `domain` is empty.

    Raises ExemptError for a domain that cannot be the name of a file.
    """
    if not domain:
        return loaded.path
    if (
        domain.startswith(".") or "/" in domain or not domain.isprintable()
    ):  # nor are lone surrogates, which no TOML holds
        raise ExemptError(
            f"{domain!r} cannot be the name of a file in {DOMAINS_DIRECTORY}/; exempt it everywhere (--everywhere)"
        )
    directory = loaded.path.parent / DOMAINS_DIRECTORY
    # The file may be spelt in another way than the canonical domain.
    named = (path for path in directory.glob("*.toml") if canonical_domain(path.name.removesuffix(".toml")) == domain)
    return next(named, directory / f"{domain}.toml")


def _in_directory(blank: Change, directory: Path) -> Change:
    """Add a file to the directory whose file names are the entries."""
    entry = blank.entry
    too_long = len(os.fsencode(entry)) > ENTRY_NAME_BYTES_MAX
    if too_long or "/" in entry or entry.startswith(".") or entry.endswith("~"):
        raise ExemptError(f"{entry} cannot be the name of a file in {directory}; add it to another list by hand")
    write = Write(directory / entry, None, b"")
    return replace(blank, file=write.path, writes=(write,))


def _in_toml(blank: Change, key: str, list_type: type[EntryList], comment: str) -> Change:
    """Add the entry to the array in the TOML; where there is none, make a list in a file, and name it there."""
    toml, domain = blank.file, blank.domain
    old = _content(toml)
    text = (old or b"").decode("utf-8")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    home = blank.config.parent
    writes: tuple[Write, ...] = ()
    try:
        if key in tomllib.loads(text).get(TABLE, {}):
            file = toml
            changed = add_entry(text, TABLE, key, blank.entry, comment)
        else:
            name = f"allow-{key.replace('_', '-')}" + (f".{domain}" if domain else "")
            file = home / LISTS_DIRECTORY / name
            # The list first: a crash in between leaves a list that nothing names, and the policy as it was.
            writes = (_with_line(file, blank.entry, list_type, comment),)
            changed = set_key(text, TABLE, key, f"{'../' if domain else ''}{LISTS_DIRECTORY}/{name}")
    except EditError as error:
        raise ExemptError(f"{shown_path(toml, home)}: {error}") from None
    new = f"{mark}{changed}".encode()
    if len(new) > SOURCE_BYTES_MAX:
        limit = f"{SOURCE_BYTES_MAX // 1024} KiB"
        raise ExemptError(f"{shown_path(toml, home)} would be longer than {limit}; move its longest array into a file")
    return replace(blank, file=file, writes=(*writes, Write(toml, old, new)), reload=True)


def _with_line(path: Path, entry: str, list_type: type[EntryList], comment: str) -> Write:
    """Return the change that adds a line to a list in a file; the file may be missing. Raises ExemptError."""
    old = _content(path)
    before = old or b""
    gap = b"" if not before or before.endswith(b"\n") else b"\n"
    new = before + gap + f"{entry}  # {comment}\n".encode()
    # The list's own reader says whether the daemon will be able to read it.
    with tempfile.TemporaryDirectory() as directory:
        trial = Path(directory) / path.name
        trial.write_bytes(new)
        try:
            fill(list_type(), trial, path.name)
        except Refused as refused:
            raise ExemptError(f"{path}: {refused}; mend the list first") from None
    return Write(path, old, new)


def _content(path: Path) -> bytes | None:
    """Return what is in a file; None where there is none. Raises OSError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _check_writable(change: Change) -> None:
    """Make sure, as far as that is possible before, that the files can be written. Raises ExemptError."""
    for write in change.writes:
        directory = write.path.resolve().parent
        existing = next(one for one in (directory, *directory.parents) if one.is_dir())
        if not os.access(existing, os.W_OK | os.X_OK):
            raise ExemptError(f"{existing} cannot be written; {change.by_hand()}")


def _replace(write: Write, config: Path) -> None:
    """Put the new content in the place of the old one in one step. Raises OSError.

    A symbolic link stays one. A new file gets the policy file's owner, and may be read by those who may read that.
    """
    path = write.path.resolve()
    _make_directory(path.parent)
    if _content(path) != write.old:
        raise OSError(errno.EBUSY, "someone else has just changed it", str(path))
    policy = config.stat()
    readable = stat.S_IMODE(policy.st_mode) & 0o666
    replace_file(path, write.new, new_mode=readable, new_owner=(policy.st_uid, policy.st_gid))


def _make_directory(path: Path) -> None:
    if not path.is_dir():
        path.mkdir()
        path.chmod(PUBLIC_DIRECTORY_MODE)


def _undo(done: Iterable[Write], config: Path) -> None:
    """Put back what was there, the last change first. Raises ExemptError where that is not possible."""
    for write in reversed(tuple(done)):
        try:
            if write.old is None:
                write.path.resolve().unlink(missing_ok=True)
            else:
                _replace(Write(write.path, write.new, write.old), config)
        except OSError as error:
            raise ExemptError(f"{write.path} was changed and cannot be put back: {error.strerror}; mend it") from None
