"""Who may do what with a file: computed from modes and owners, without opening or writing anything."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Right = Literal["read", "write"]
# Whom Debian's package runs the daemon as.
USER = "eximacl"
_BITS = {"read": 4, "write": 2, "enter": 1}
# CAP_DAC_OVERRIDE is 1; CAP_DAC_READ_SEARCH is 2, and suffices to read files and enter directories (capabilities(7)).
_CAPABILITIES = {"read": 0b110, "write": 0b010, "enter": 0b110}
# Below the first nothing works for long; below the second it may soon stop.
FREE_BYTES_MIN = 1024 * 1024
FREE_BYTES_LOW = 64 * 1024 * 1024


@dataclass(frozen=True)
class Who:
    """A user with all its groups, as the kernel knows them.

    passes: the rights that it has whatever the mode says: all for root, unless it has lost its capabilities.
    """

    name: str
    uid: int
    gids: frozenset[int]
    passes: frozenset[str] = frozenset()

    @classmethod
    def of_account(cls, name: str) -> Who | None:
        """Return a user by its name or its number, with all groups; None where there is no such user."""
        try:
            user = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
        except KeyError:
            return None
        return cls(user.pw_name, user.pw_uid, frozenset(os.getgrouplist(user.pw_name, user.pw_gid)))

    @classmethod
    def of_process(cls, directory: Path, word: str) -> Who | None:
        """Return the user that a process (/proc/PID) runs as; None where it is gone, or its command has no `word`."""
        try:
            lines = dict(line.split(":", 1) for line in (directory / "status").read_text().splitlines())
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, ValueError):
            return None
        if word not in command:
            return None
        uid, gid = int(lines["Uid"].split()[1]), int(lines["Gid"].split()[1])
        held = int(lines["CapEff"], 16)
        passes = frozenset(right for right, mask in _CAPABILITIES.items() if held & mask)
        account = cls.of_account(str(uid))
        return cls(
            account.name if account else f"user {uid}",
            uid,
            frozenset([gid, *map(int, lines["Groups"].split())]),
            passes,
        )

    def has(self, found: os.stat_result, right: str) -> bool:
        """Return whether the mode gives this user a right: as owner, else in the group, else (path_resolution(7))."""
        if right in self.passes:
            return True
        bits = (
            found.st_mode >> 6
            if found.st_uid == self.uid
            else found.st_mode >> 3
            if found.st_gid in self.gids
            else found.st_mode
        )
        return bool(bits & _BITS[right])


def refusal(who: Who, path: Path, right: Right, view: Path = Path("/")) -> str:
    """Return what keeps a user from reading or writing a path; empty: nothing.

    view: the root directory as the process sees it. For a file that is not there yet, its directory counts.
    """
    parts = path.absolute().parts[1:]
    here = view
    for index, part in enumerate(("", *parts)):
        here = here / part
        shown = Path("/", *parts[:index])
        try:
            found = here.stat()
        except FileNotFoundError:
            return _refused(who, here.parent, shown.parent, "write") if right == "write" else f"{shown} does not exist"
        except OSError as error:
            return f"{shown}: {error.strerror}"
        if index == len(parts):
            return _refused(who, here, shown, right)
        if stat.S_ISDIR(found.st_mode) and not who.has(found, "enter") and not _has_acl(here):
            return f"{who.name} may not enter {shown} ({describe(found)})"
    return ""


def unreadable(who: Who, paths: Iterable[Path], view: Path = Path("/")) -> Iterator[tuple[Path, str]]:
    """Yield each path that a user may not read, and why."""
    for path in dict.fromkeys(paths):
        why = refusal(who, path, "read", view)
        if why:
            yield path, why


def _refused(who: Who, path: Path, shown: Path, right: Right) -> str:
    found = path.stat()
    if not who.has(found, right) and not _has_acl(path):
        return f"{who.name} may not {right} {shown} ({describe(found)})"
    if right == "write" and not stat.S_ISSOCK(found.st_mode) and os.statvfs(path).f_flag & os.ST_RDONLY:
        return f"{shown} is read-only"
    return ""


def shut(who: Who, path: Path, view: Path = Path("/")) -> Path | None:
    """Return the first directory above a path that a user may not enter; None: all may be entered."""
    for directory in reversed(path.absolute().parents):
        here = view / directory.relative_to("/")
        try:
            if not who.has(here.stat(), "enter") and not _has_acl(here):
                return directory
        except OSError:
            return None
    return None


def _has_acl(path: Path) -> bool:
    """Return whether a file has a POSIX ACL (acl(5)), which may grant what its mode does not."""
    try:
        return bool(os.getxattr(path, "system.posix_acl_access"))
    except OSError:
        return False


def describe(found: os.stat_result) -> str:
    """Return mode and owners as `ls` shows them."""
    return f"{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid}"


def free_bytes(path: Path, view: Path = Path("/")) -> int | None:
    """Return the bytes left for a file, 0 where there are no inodes left; None where its directory is missing."""
    for candidate in (path, *path.parents):
        try:
            found = os.statvfs(view / candidate.relative_to("/"))
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return 0 if found.f_files and not found.f_favail else found.f_bavail * found.f_frsize
    return None
