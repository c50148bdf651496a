"""Can what is refused be written down?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from eximacl.doctor.access import FREE_BYTES_LOW, FREE_BYTES_MIN, free_bytes, refusal
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning
from eximacl.records.room import BYTES_PER_MB, short_of


@diagnosis("disk")
def records(case: Case) -> Iterator[Finding]:
    """The daemon can append to the rejection log and the journal: rights, space, and nothing dropped or waiting.

    No rejection is made up for it, since its record would stay in your log.
    """
    if case.loaded is None:
        return
    settings = case.loaded.settings
    if settings.log.rejections is not None:
        path = settings.log.rejections
        found = list(writable(case, "log.rejections", path, "file"))
        yield from found
        if all(one.level == "ok" for one in found):
            yield from _spared(case, "log.free_mb", path, settings.log.free_mb)
    if settings.journal.dir is not None:
        path = settings.journal.dir
        found = list(writable(case, "journal.dir", path, "directory"))
        yield from found
        if all(one.level == "ok" for one in found):
            yield from _spared(case, "journal.free_mb", path, settings.journal.free_mb)
    for name, file in (case.status or {}).get("records", {}).items():
        if file["dropped"]:
            yield problem(
                f"{name}: {file['dropped']} records were dropped, {file['waiting']} wait for {file['path']}",
                "what was refused in that time is not recorded anywhere",
                "free space, or correct the file's rights; the daemon's log says which",
            )


def _spared(case: Case, setting: str, path: Path, free_mb: int) -> Iterator[Finding]:
    """Yield that the disk is so short of space that the daemon leaves the rest to Exim."""
    for candidate in (path.absolute(), *path.absolute().parents):
        try:
            found = os.statvfs(case.view / candidate.relative_to("/"))
        except FileNotFoundError:
            continue
        except OSError:
            return
        missing = short_of(found, free_mb * BYTES_PER_MB)
        if missing:
            yield problem(
                f"{setting} = {free_mb}: {path}: {missing}",
                "decisions are not recorded there; they are made all the same",
                f"free space there, or lower {setting}",
            )
        return


PathKind = Literal["file", "directory"]
_IS = {"file": stat.S_ISREG, "directory": stat.S_ISDIR}


def writable(case: Case, name: str, path: Path, kind: PathKind) -> Iterator[Finding]:
    """Yield whether the daemon's user may write to a file or a directory, and whether there is space.

    name: the setting. Where the daemon's user cannot be seen, yield only what is wrong for any user.
    """
    path = path.absolute()
    if not _is(case.view / path.relative_to("/"), kind):
        yield problem(
            f"{name}: {path} is not a {'regular ' if kind == 'file' else ''}{kind}",
            "what should be written there is lost, or the daemon waits for a reader",
            f"move it away, or change {name}",
        )
        return
    who = case.daemon_user
    why = refusal(who, path, "write", case.view) if who else ""
    free = free_bytes(path, case.view)
    if why:
        yield problem(
            f"{name}: the daemon may not write there: {why}",
            "what should be written there is lost",
            f"give it to the daemon's user (chown), or change {name}; systemd: ReadWritePaths=",
        )
    elif free is not None and free < FREE_BYTES_MIN:
        yield problem(
            f"{name}: the disk with {path} is full",
            "what should be written there is lost",
            f"free space there, or change {name}",
        )
    elif free is not None and free < FREE_BYTES_LOW:
        yield warning(
            f"{name}: the disk with {path} has {free // 1_000_000} MB left", "it may soon be full", "free space there"
        )
    elif who is not None:
        yield ok(f"{name}: the daemon can write {path}")


def _is(path: Path, kind: PathKind) -> bool:
    """Return whether a path is of this kind, or not there yet. Where we may not look, its rights say more."""
    try:
        return _IS[kind](path.stat().st_mode)
    except OSError:
        return True
