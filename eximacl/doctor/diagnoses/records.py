"""Can what is refused be written down?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
    for name, path in (("log.rejections", settings.log.rejections), ("journal.dir", settings.journal.dir)):
        if path is not None:
            yield from writable(case, name, path)
    for name, file in (case.status or {}).get("records", {}).items():
        if file["dropped"]:
            yield problem(
                f"{name}: {file['dropped']} records were dropped, {file['waiting']} wait for {file['path']}",
                "what was refused meanwhile is not written down anywhere",
                "free space, or mend the file's rights; the daemon's log tells which",
            )


def writable(case: Case, name: str, path: Path) -> Iterator[Finding]:
    """Yield whether the daemon's user may write to a file or a directory, and whether there is room."""
    path = path.absolute()
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
    elif who is None:
        yield warning(
            f"{name}: whom the daemon runs as could not be seen",
            "whether it may write there is not known",
            "run the doctor as root, while the daemon runs, on the same machine",
        )
    else:
        yield ok(f"{name}: the daemon can write {path}")
