"""Exempting whoever was refused by mistake: one entry more in the right list of the policy.

Rule: what an administrator has written stays as it is but for that entry, and no file is changed before the policy with
the entry in it has been loaded without a problem. Two who do so at once wait for each other (`allow`). A list in a file
or a directory takes effect by itself; a change of the TOML needs a reload.

The list is that of the recipient's domain (`domains/DOMAIN.toml`, `[exempt]`), or the one for all (`everywhere`). Where
it is a path, the file gets a line or the directory a file. Where it is an array, the array gets an entry. Where there
is none, it becomes a file of its own, `lists/allow-…`, so that the next entry needs no change of the TOML any more.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from eximacl.config import ConfigError, Loaded, load
from eximacl.config.edit import EditError, add_entry, set_key
from eximacl.config.load import DOMAINS_DIRECTORY
from eximacl.config.problems import Refused, shown_path
from eximacl.config.sources import fill
from eximacl.config.values import Values
from eximacl.mail.address import NULL_SENDER, canonical_domain, parse_quoted
from eximacl.mail.lists import EntryList, Networks, Recipients, Suffixes
from eximacl.policy.engine import Exempt
from eximacl.policy.query import Query
from eximacl.protocol.exim import build_query
from eximacl.system.files import PUBLIC_DIRECTORY_MODE, replace_file
from eximacl.system.locks import directory_lock

Kind = Literal["sender", "domain", "ip", "host"]

LISTS_DIRECTORY = "lists"
TABLE = "exempt"
TOML_SUFFIX = ".toml"

# A file's name has at most 255 bytes, and while it is written it has a prefix and a suffix.
ENTRY_NAME_BYTES_MAX = 240

_KEYS: dict[str, tuple[str, type[EntryList]]] = {
    "sender": ("senders", Recipients),
    "domain": ("sender_domains", Suffixes),
    "ip": ("ips", Networks),
    "host": ("hosts", Suffixes),
}
# A list's lines end with a comment after a blank and #; an address with such signs in it would be cut there.
_UNFIT = re.compile(r"[\s#\x00-\x1f\x7f]")


class AllowError(Exception):
    """An exemption cannot be added; the text says what to do instead. Nothing was changed."""


class RefusedMail(NamedTuple):
    """The mail that should have passed: its recipient, and what is known of whoever sent it.

    recipient: empty where it was refused before RCPT. Both addresses are as SMTP writes them (`address.quoted`).
    """

    recipient: str
    sender: str
    ip: str
    host: str
    helo: str

    @property
    def query(self) -> Query:
        """The question that Exim would ask about the next such mail."""
        return build_query("rcpt", {**self._values(), "tx": "allow", "dry": "1"})

    def _values(self) -> dict[str, str]:
        values = {"ip": self.ip, "host": self.host, "helo": self.helo, "from": self.sender}
        # Exim has the recipient's localpart without its quotes.
        return {**values, "rcpt": str(parse_quoted(self.recipient))} if self.recipient else values


class Write(NamedTuple):
    """One file to change: what is in it now (None: it does not exist), and what will be."""

    path: Path
    old: bytes | None
    new: bytes


@dataclass(frozen=True)
class Change:
    """An exemption that can be added. `already` names the one that there is; then there is nothing to write.

    domain: whose mail passes; empty: that of all. file, key: the list, as the administrator names it; reload: whether
    the daemon has to read its TOML anew.
    """

    config: Path
    refusal: RefusedMail
    entry: str
    domain: str
    file: Path
    key: str
    writes: tuple[Write, ...] = ()
    reload: bool = False
    already: str = ""

    def apply(self) -> tuple[Path, ...]:
        """Write it, and return the files that were changed. Raises AllowError; then all is as it was."""
        done: list[Write] = []
        try:
            for write in self.writes:
                if write.path.suffix == TOML_SUFFIX:
                    load(self.config, {write.path: write.new.decode("utf-8")})
                _replace(write, self.config)
                done.append(write)
            loaded = load(self.config)
        except OSError as error:
            _undo(done, self.config)
            raise AllowError(f"{error.filename or self.file}: {error.strerror}; {self.by_hand()}") from None
        except ConfigError as error:
            _undo(done, self.config)
            raise AllowError(f"with {self.entry} the policy would be wrong, so all stays as it was: {error}") from None
        if not exemption(_lists(loaded, self.domain), self.key.removeprefix(f"{TABLE}."), self.refusal):
            _undo(done, self.config)
            raise AllowError(f"the policy would not pass the mail with {self.entry} in {self.key}; all stays as it was")
        return tuple(write.path for write in done)

    def by_hand(self) -> str:
        """Return what a person can do instead."""
        return f"add {self.entry} to {self.key} in {self.file} by hand, or run this as root"


def entry_for(kind: Kind, refusal: RefusedMail) -> str:
    """Return the narrowest entry that covers a refused mail by its sender, sender's domain, ip or host.

    Raises AllowError where the mail has no such thing.
    """
    sender = refusal.query.sender or NULL_SENDER
    found = {"sender": str(sender), "domain": sender.domain, "ip": refusal.ip, "host": canonical_domain(refusal.host)}
    if kind in ("sender", "domain") and not sender.domain:
        raise AllowError("the null sender of a bounce cannot be exempted: anybody may use it; take --allow ip or host")
    if not found[kind]:
        raise AllowError(f"the client {refusal.ip} has no reverse name; take --allow ip")
    entry = found[kind]
    if kind == "sender" and (not sender.localpart or sender.localpart.startswith("@")):
        raise AllowError(f"{entry} in a list means more than this sender; take --allow domain, ip or host")
    if kind in ("domain", "host") and "." not in entry:
        raise AllowError(f"{entry} is a whole top-level domain; take another --allow")
    if _UNFIT.search(entry) or not entry.isprintable():
        raise AllowError(f"{entry!r} cannot be an entry of a list; take --allow domain, ip or host")
    try:
        _KEYS[kind][1]([entry])
    except ValueError as error:
        raise AllowError(f"{error}; take another --allow") from None
    return entry


def allow(
    config: Path, kind: Kind, refusal: RefusedMail, comment: str, *, everywhere: bool = False
) -> tuple[Change, tuple[Path, ...]]:
    """Add an exemption (`prepare`, `Change.apply`); return it with the files that were changed.

    Whoever else adds one meanwhile waits. Raises AllowError and OSError; then all is as it was.
    """
    with directory_lock(config.absolute().parent):
        change = prepare(config, kind, refusal, comment, everywhere=everywhere)
        return change, change.apply()


def prepare(config: Path, kind: Kind, refusal: RefusedMail, comment: str, *, everywhere: bool = False) -> Change:
    """Work out what has to be written where; nothing is changed yet. Raises AllowError, OSError.

    comment: stands beside the entry where there is room for one.
    """
    entry = entry_for(kind, refusal)
    recipient = refusal.query.recipient
    if recipient is None and not everywhere:
        raise AllowError(
            "it was refused before there was a recipient, so no domain's list can have it; add --everywhere"
        )
    try:
        loaded = load(config)
    except ConfigError as error:
        raise AllowError(f"the configuration is wrong, mend it first: {error}") from None
    if recipient is not None and loaded.policy.for_domain(recipient.domain) is None:
        raise AllowError(f"policy.domains does not list the domain of {refusal.recipient}")
    domain = recipient.domain if recipient and not everywhere else ""
    key, list_type = _KEYS[kind]
    for scope in dict.fromkeys((domain, "")):
        already = exemption(_lists(loaded, scope), key, refusal)
        if already:
            file = _source_of(loaded, scope, key) or _toml_of(loaded, scope)
            return Change(loaded.path, refusal, entry, scope, file, f"{TABLE}.{key}", already=already)
    found = Change(loaded.path, refusal, entry, domain, _toml_of(loaded, domain), f"{TABLE}.{key}")
    source = _source_of(loaded, domain, key)
    if source is None:
        change = _in_toml(found, key, list_type, comment)
    else:
        change = _in_source(found, source, list_type, comment)
    _check(change)
    return change


def exemption(lists: Values, key: str, refusal: RefusedMail) -> str:
    """Return what in one list (`senders: ann@example.net`) passes a mail now; empty where nothing does."""
    return (key in lists and Exempt(**{key: lists[key].value}).match(refusal.query)) or ""


def _lists(loaded: Loaded, domain: str) -> Values:
    """Return the exemptions of a domain's own file, or those for all where `domain` is empty."""
    return loaded.overlays.get(domain, {}).get(TABLE, {}) if domain else loaded.tables[TABLE]


def _source_of(loaded: Loaded, domain: str, key: str) -> Path | None:
    """Return the file or directory that a list is read from; None where there is none."""
    lists = _lists(loaded, domain)
    raw = lists[key].raw if key in lists else None
    return Path(os.path.normpath(_toml_of(loaded, domain).parent / raw)) if isinstance(raw, str) else None


def _toml_of(loaded: Loaded, domain: str) -> Path:
    """Return the file that has, or will have, the exemptions of a domain; the main file for no domain."""
    if not domain:
        return loaded.path
    directory = loaded.path.parent / DOMAINS_DIRECTORY
    named = (path for path in directory.glob("*.toml") if canonical_domain(path.name.removesuffix(".toml")) == domain)
    return next(named, directory / f"{domain}.toml")


def _in_source(found: Change, path: Path, list_type: type[EntryList], comment: str) -> Change:
    """Add the entry to the file or directory that the list is read from."""
    if path.is_dir():
        long = len(os.fsencode(found.entry)) > ENTRY_NAME_BYTES_MAX
        if long or "/" in found.entry or found.entry.startswith(".") or found.entry.endswith("~"):
            raise AllowError(f"{found.entry} cannot be the name of a file in {path}; add it to another list by hand")
        write = Write(path / found.entry, None, b"")
    else:
        write = _with_line(path, found.entry, list_type, comment)
    return replace(found, file=write.path, writes=(write,))


def _in_toml(found: Change, key: str, list_type: type[EntryList], comment: str) -> Change:
    """Add the entry to the array in the TOML; where there is none, make a list in a file, and name it there."""
    toml, domain = found.file, found.domain
    old = toml.read_bytes() if toml.exists() else None
    text = (old or b"").decode("utf-8")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    home = found.config.parent
    try:
        if key in tomllib.loads(text).get(TABLE, {}):
            changed = add_entry(text, TABLE, key, found.entry, comment)
            writes: tuple[Write, ...] = ()
            file = toml
        else:
            name = f"allow-{key.replace('_', '-')}" + (f".{domain}" if domain else "")
            file = home / LISTS_DIRECTORY / name
            changed = set_key(text, TABLE, key, f"{'../' if domain else ''}{LISTS_DIRECTORY}/{name}")
            writes = (_with_line(file, found.entry, list_type, comment),)
    except EditError as error:
        raise AllowError(f"{shown_path(toml, home)}: {error}") from None
    writes = (*writes, Write(toml, old, f"{mark}{changed}".encode()))
    return replace(found, file=file, writes=writes, reload=True)


def _with_line(path: Path, entry: str, list_type: type[EntryList], comment: str) -> Write:
    """Return the change that adds a line to a list in a file; the file may be missing. Raises AllowError."""
    old = path.read_bytes() if path.exists() else None
    before = old or b""
    gap = b"" if not before or before.endswith(b"\n") else b"\n"
    new = before + gap + f"{entry}  # {comment}\n".encode()
    with tempfile.TemporaryDirectory() as directory:
        trial = Path(directory) / path.name
        trial.write_bytes(new)
        try:
            fill(list_type(), trial, path.name)
        except Refused as refused:
            raise AllowError(f"{path}: {refused}; mend the list first") from None
    return Write(path, old, new)


def _check(change: Change) -> None:
    """Make sure that the files can be written. Raises AllowError."""
    for write in change.writes:
        directory = _existing(write.path.resolve().parent)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise AllowError(f"{directory} cannot be written; {change.by_hand()}")


def _existing(directory: Path) -> Path:
    return next(one for one in (directory, *directory.parents) if one.is_dir())


def _replace(write: Write, config: Path) -> None:
    """Put the new content in the place of the old one in one step. Raises OSError.

    A symbolic link stays one. A new file gets the owner of the policy file, and may be read by all.
    """
    path = write.path.resolve()
    _make_directory(path.parent)
    if (path.read_bytes() if path.exists() else None) != write.old:
        raise OSError(errno.EBUSY, "somebody else has just changed it", str(path))
    owner = config.stat()
    replace_file(path, write.new, new_owner=(owner.st_uid, owner.st_gid))


def _make_directory(path: Path) -> None:
    if not path.is_dir():
        path.mkdir()
        path.chmod(PUBLIC_DIRECTORY_MODE)


def _undo(done: list[Write], config: Path) -> None:
    """Put back what was there. Raises AllowError where that is not possible."""
    for write in reversed(done):
        try:
            if write.old is None:
                write.path.resolve().unlink(missing_ok=True)
            else:
                _replace(Write(write.path, write.new, write.old), config)
        except OSError as error:
            raise AllowError(f"{write.path} was changed and cannot be put back: {error.strerror}; mend it") from None
