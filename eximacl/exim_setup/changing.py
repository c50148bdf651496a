"""Carrying a plan out. Rule: at each moment, and after a `kill -9` at any, Exim has a configuration that it accepts.

The copy of the snippets comes first, then the router, then the one switching file, each by a rename; the made
configuration is Debian's own script's to replace, which does so by a rename, too. What Exim refuses is taken back.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eximacl.exim_setup.errors import SetupError
from eximacl.exim_setup.place import BACKUPS, EXIM_DIR
from eximacl.exim_setup.planning import Edit, Plan
from eximacl.exim_setup.program import Exim, check_configuration
from eximacl.exim_setup.trying import UPDATE, run_update

NEW_MODE = 0o644


@dataclass(frozen=True)
class Changed:
    """What was done: the directory with the files as they were, None where none was there before."""

    backup: Path | None


def change(plan: Plan, exim: Exim, stamp: str, *, confirm: Callable[[Exim], str] = check_configuration) -> Changed:
    """Carry a plan out, make the configuration and let Exim read it; take everything back where it refuses.

    stamp: names the backups, a date. confirm: returns what is wrong with the result, empty: nothing. Raises SetupError.
    """
    with _lock(plan.place.etc):
        backup = _back_up(plan, stamp)
        try:
            for edit in plan.edits:
                _put(edit.path, edit.after)
            _regenerate(plan)
            complaint = confirm(exim)
        except (OSError, SetupError) as error:
            complaint = str(error)
        if complaint:
            _take_back(plan, backup, complaint)
        return Changed(backup)


def _take_back(plan: Plan, backup: Path | None, complaint: str) -> None:
    """Put every file back, the switch first, and raise SetupError."""
    for edit in reversed(plan.edits):
        try:
            _put(edit.path, edit.before)
        except OSError:  # no space for another file: the backup itself goes back
            if backup is not None and edit.before is not None:
                (backup / edit.path.relative_to(plan.place.etc)).replace(edit.path)
    try:
        _regenerate(plan)
    except SetupError as error:
        raise SetupError(f"{complaint}\nEvery file is as it was, but {error}") from None
    raise SetupError(f"{complaint}\nEverything is as it was before.")


def _regenerate(plan: Plan) -> None:
    """Make the configuration that Exim reads; a directory that is not Exim's own is left to whoever uses it."""
    if plan.place.kind != "plain" and plan.place.etc == EXIM_DIR:
        run_update([UPDATE])


def _back_up(plan: Plan, stamp: str) -> Path | None:
    """Copy each file that will change. Raises SetupError."""
    kept = [edit for edit in plan.edits if edit.before is not None]
    if not kept:
        return None
    root = plan.place.etc / BACKUPS
    try:
        root.mkdir(mode=0o755, exist_ok=True)
        made = _new_directory(root, stamp)
        for edit in kept:
            target = made / edit.path.relative_to(plan.place.etc)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(edit.path, target)
    except OSError as error:
        raise SetupError(
            f"{error.filename or root}: {error.strerror}: no backup could be written; nothing was changed"
        ) from None
    return made


def _new_directory(root: Path, stamp: str) -> Path:
    number = 1
    while True:
        made = root / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            made.mkdir(mode=0o755)
        except FileExistsError:
            number += 1
        else:
            return made


def _put(path: Path, text: str | None) -> None:
    """Give a file this text at once, with the mode and the owner that it has; None: delete it."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    handle, name = tempfile.mkstemp(
        prefix=".eximacl-", dir=path.parent
    )  # a name that run-parts and Debian's script pass over
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        _dress(Path(name), path)
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _dress(new: Path, old: Path) -> None:
    try:
        found = old.stat()
    except FileNotFoundError:
        new.chmod(NEW_MODE)
        return
    os.chown(new, found.st_uid, found.st_gid)
    new.chmod(found.st_mode & 0o7777)


@contextmanager
def _lock(etc: Path) -> Iterator[None]:
    """Keep a second `install` or `remove` out."""
    handle = os.open(etc, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SetupError(f"{etc}: another `eximacl exim` is at work there; try again") from None
    finally:
        os.close(handle)


__all__ = ["Changed", "Edit", "change"]
