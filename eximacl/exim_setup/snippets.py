"""The snippets as files: those that this version brings, and the copies that Exim reads.

Rule: a copy's directory is named after its contents. A running Exim, which opens the files for each mail, keeps those
that it has started with, however often they are upgraded; and a copy that was changed by hand shows.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import eximacl
from eximacl.exim_setup.errors import SetupError

# As many digits as tell any two versions apart.
DIGITS = 8
NAMED = re.compile(r"[0-9a-f]{8}")
# What is there for Exim; a README is for people, and may change alone.
FILES = re.compile(r"[a-z_]+(\.acl)?")


def find_shipped(given: Path | None = None) -> Path:
    """Return the directory with this version's snippets. Raises SetupError where it is not found."""
    package = Path(eximacl.__file__).parents[1]
    places = [package / "exim-snippets", Path(sys.prefix) / "share/eximacl/exim-snippets"]
    candidates = [given] if given else [*places, Path("/usr/share/eximacl/exim-snippets")]
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


def fingerprint(directory: Path) -> str:
    """Return the digest of a directory's snippets, by which its copy is named."""
    digest = hashlib.sha256()
    for path in files_of(directory):
        data = path.read_bytes()
        digest.update(f"{path.name} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()[:DIGITS]


def copy(shipped: Path, own: Path) -> Path:
    """Copy the snippets into `own`; return the copy's directory. It is there whole, or not at all.

    What an admin has changed by hand in the same copy is moved to `NAME.changed`.
    """
    wanted = own / fingerprint(shipped)
    own.mkdir(mode=0o755, parents=True, exist_ok=True)
    if wanted.exists():
        if fingerprint(wanted) == wanted.name:
            return wanted
        changed = own / f"{wanted.name}.changed"
        shutil.rmtree(changed, ignore_errors=True)
        wanted.rename(changed)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=own))
    try:
        for path in [*files_of(shipped), shipped / "README"]:
            if path.is_file():
                _write(made / path.name, path.read_bytes())
        made.chmod(0o755)
        made.rename(wanted)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return wanted


def prune(own: Path, keep: set[str]) -> list[Path]:
    """Delete copies but those named in `keep`, and what a killed copying left. Returns what was deleted."""
    deleted = []
    for path in sorted(own.iterdir()) if own.is_dir() else []:
        if path.name.startswith(".new-") or (NAMED.fullmatch(path.name) and path.name not in keep):
            shutil.rmtree(path, ignore_errors=True)
            deleted.append(path)
    return deleted


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o644)
