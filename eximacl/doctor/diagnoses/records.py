"""Can what is refused be written down?"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from eximacl.doctor.access import FREE_BYTES_LOW, FREE_BYTES_MIN, free_bytes, refusal
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning


@diagnosis("disk")
def records(case: Case) -> Iterator[Finding]:
    """The daemon can append to the rejection log and the journal: rights, space, and nothing dropped or waiting.

    No mail is made up for it: a record of a made-up rejection would stay in your log.
    """
    if case.loaded is None:
        return
    settings = case.loaded.settings
    if settings.log.rejections is not None:
        yield from writable(case, "log.rejections", settings.log.rejections, "file")
    if settings.journal.dir is not None:
        yield from writable(case, "journal.dir", settings.journal.dir, "directory")
    for name, file in (case.status or {}).get("records", {}).items():
        if file["dropped"]:
            yield problem(
                f"{name}: {file['dropped']} records were dropped, {file['waiting']} wait for {file['path']}",
                "what was refused meanwhile is not written down anywhere",
                "free space, or mend the file's rights; the daemon's log tells which",
            )


Kind = Literal["file", "directory"]
_IS = {"file": stat.S_ISREG, "directory": stat.S_ISDIR}


def writable(case: Case, name: str, path: Path, kind: Kind) -> Iterator[Finding]:
    """Yield whether the daemon's user may write to a file or a directory, and whether there is room.

    Where it cannot be seen whom the daemon runs as, only what is wrong for anyone: that is told of the daemon.
    """
    path = path.absolute()
    if not _is(case.view / path.relative_to("/"), kind):
        yield problem(
            f"{name}: {path} is no {'regular ' if kind == 'file' else ''}{kind}",
            "what belongs there is lost, or the daemon waits for whoever reads there",
            f"move it away, or change {name}",
        )
        return
    who = case.daemon_user
    why = refusal(who, path, "write", case.view) if who else ""
    free = free_bytes(path, case.view)
    if why:
        yield problem(
            f"{name}: the daemon may not write there: {why}",
            "what belongs there is lost",
            f"give it to the daemon's user (chown), or change {name}; systemd: ReadWritePaths=",
        )
    elif free is not None and free < FREE_BYTES_MIN:
        yield problem(
            f"{name}: the disk with {path} is full",
            "what belongs there is lost",
            f"free space there, or change {name}",
        )
    elif free is not None and free < FREE_BYTES_LOW:
        yield warning(
            f"{name}: the disk with {path} has {free // 1_000_000} MB left", "it may soon be full", "free space there"
        )
    elif who is not None:
        yield ok(f"{name}: the daemon can write {path}")


def _is(path: Path, kind: Kind) -> bool:
    """Whether a path is of this kind, or not there yet; who may not be looked at is told with its rights."""
    try:
        return _IS[kind](path.stat().st_mode)
    except OSError:
        return True
