"""Whether a policy file has changed since it was read: lists are read again by themselves, the policy is not."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from eximacl.config.load import DOMAINS_DIRECTORY, Loaded
from eximacl.config.sources import SOURCE_BYTES_MAX
from eximacl.system.files import read_regular
from eximacl.system.times import zoned


class Stamp(NamedTuple):
    """What a file was like: its last change, its size, and its content's hash."""

    changed_ns: int
    size: int
    digest: bytes


Stamps = Mapping[Path, Stamp]


def stamps(loaded: Loaded) -> Stamps:
    """Return what the files of a policy are like now: the main one, the domains', and those of `checks_dir`."""
    found = {path: _stamp(path) for path in _files(loaded)}
    return {path: stamp for path, stamp in found.items() if stamp is not None}


def changed(loaded: Loaded, before: Stamps) -> str:
    """Return which file of a policy is not as it was, and what to do; empty: all are."""
    paths = _files(loaded)
    for path in dict.fromkeys((*paths, *before)):
        old, now = before.get(path), _status(path)
        if now is None and old is not None:
            return f"{path} is gone since it was read: eximacl reload"
        if now is None or (old is not None and now == old[:2]):
            continue
        if old is None or _stamp(path) != old._replace(changed_ns=now[0]):
            return f"{path} changed at {zoned(now[0] / 1e9)}, after it was read: eximacl reload"
    return ""


def _files(loaded: Loaded) -> list[Path]:
    found = [loaded.path, *sorted((loaded.path.parent / DOMAINS_DIRECTORY).glob("*.toml"))]
    own = loaded.settings.policy.checks_dir
    return found + (sorted(own.glob("*.py")) if own is not None else [])


def _status(path: Path) -> tuple[int, int] | None:
    """Return the last change and the size of a regular file; None where there is none that we can see."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if stat.S_ISREG(found.st_mode) else None


def _stamp(path: Path) -> Stamp | None:
    status = _status(path)
    if status is None:
        return None
    try:
        data = read_regular(path, SOURCE_BYTES_MAX)
    except OSError:
        data = b""
    return Stamp(*status, hashlib.blake2b(data).digest())
