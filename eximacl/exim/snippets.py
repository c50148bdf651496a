"""The snippets as files: those of this version, and the copies that Exim reads.

The directory of a copy is named after its contents. So a running Exim, which opens the files for each message, keeps
those that it has started with, however often they are upgraded; and a copy that was changed by hand is noticed.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
import sys
import tempfile
from pathlib import Path

import eximacl
from eximacl.exim.errors import SetupError
from eximacl.system import paths
from eximacl.system.files import PUBLIC_FILE_MODE, write_new

# Enough to tell any two versions apart.
DIGITS = 8
NAMED = re.compile(r"[0-9a-f]{8}")
# What Exim reads; the README may change without a new name.
FILES = re.compile(r"[a-z_]+(\.acl)?")


def find_shipped(given: Path | None = None) -> Path:
    """Return the directory with the snippets of this version (or `given`). Raises SetupError where it is not found."""
    package = Path(eximacl.__file__).parents[1]
    places = [package / "exim-snippets", Path(sys.prefix) / "share/eximacl/exim-snippets"]
    candidates = [given] if given else [*places, paths.SNIPPETS]
    for directory in candidates:
        if (directory / "macros").is_file() and (directory / "rcpt.acl").is_file():
            return directory
    tried = ", ".join(str(directory) for directory in candidates)
    raise SetupError(f"no snippets in {tried}: reinstall eximacl, or name their directory with --snippets")


def files_of(directory: Path) -> list[Path]:
    """Return the files of a directory that Exim may read, in order of their names; none where it is missing."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if FILES.fullmatch(path.name) and path.is_file())


def fingerprint(directory: Path, *, like: Path | None = None) -> str:
    """Return the digest of the snippets in a directory, after which its copy is named.

    like: count only files that this directory has, too; an admin may keep others beside them.
    """
    names = None if like is None else {path.name for path in files_of(like)}
    digest = hashlib.sha256()
    for path in files_of(directory):
        if names is not None and path.name not in names:
            continue
        data = path.read_bytes()
        digest.update(f"{path.name} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()[:DIGITS]


def copy(shipped: Path, own: Path) -> Path:
    """Copy the snippets into a directory below `own`, and return it. It is there whole, or not at all.

    Where an admin has changed the same copy by hand, that is moved to `NAME.changed`, `NAME.changed-2` …
    """
    wanted = own / fingerprint(shipped)
    own.mkdir(parents=True, exist_ok=True)
    own.chmod(0o755)  # whatever the umask is: Exim's user reads it
    if wanted.exists():
        if fingerprint(wanted) == wanted.name:
            _open(wanted)
            return wanted
        wanted.rename(_unused(own, f"{wanted.name}.changed"))
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=own))
    try:
        for path in [*files_of(shipped), shipped / "README"]:
            if path.is_file():
                write_new(made / path.name, path.read_bytes(), PUBLIC_FILE_MODE)
        _open(made)
        made.rename(wanted)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return wanted


def prune(own: Path, keep: set[str]) -> list[Path]:
    """Delete all copies except those named in `keep`, and what a killed `copy` left; return what was deleted.

    A directory with anything else in it, or with other contents than its name says, is an admin's, and stays.
    """
    deleted = []
    for path in sorted(own.iterdir()) if own.is_dir() else []:
        if path.name.startswith(".new-") or (path.name not in keep and _is_copy(path)):
            shutil.rmtree(path, ignore_errors=True)
            deleted.append(path)
    return deleted


def is_changed(directory: Path) -> bool:
    """Return whether this is a copy that was changed by hand."""
    return NAMED.fullmatch(directory.name) is not None and fingerprint(directory) != directory.name


def _is_copy(path: Path) -> bool:
    if not NAMED.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
        return False
    names = {each.name for each in path.iterdir()} - {"README"}
    return names == {each.name for each in files_of(path)} and fingerprint(path) == path.name


def _unused(own: Path, name: str) -> Path:
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(own / each for each in itertools.chain([name], numbered) if not (own / each).exists())


def _open(directory: Path) -> None:
    """Let everyone read a copy, since Exim's user must."""
    directory.chmod(0o755)
    for path in files_of(directory):
        path.chmod(0o644)
