"""Carrying a plan out. Rule: at each moment, and after a `kill -9` at any, Exim has a configuration that it accepts.

The copy of the snippets comes first, then the router, then the one switching file, each by a rename; the made
configuration is Debian's own script's to replace, which does so by a rename, too. What Exim refuses is taken back, and
so is what was begun when somebody stops it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eximacl.exim.errors import SetupError
from eximacl.exim.place import BACKUPS
from eximacl.exim.plan import Edit, InstallPlan, read
from eximacl.exim.program import Exim, check_configuration
from eximacl.exim.trial import UPDATE, run_update
from eximacl.exim.write import duplicate, put
from eximacl.system import paths
from eximacl.system.files import sweep
from eximacl.system.locks import directory_lock

# How somebody stops a command: Ctrl-C, `kill`, a terminal that is closed.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Changed:
    """What was done: the directory with the files as they were, None where none was there before."""

    backup: Path | None


def change(
    plan: InstallPlan, exim: Exim, stamp: str, *, confirm: Callable[[Exim], str] = check_configuration
) -> Changed:
    """Carry a plan out, make the configuration and let Exim read it; take everything back where it refuses.

    stamp: names the backups, a date. confirm: returns what is wrong with the result, empty: nothing. Raises SetupError;
    KeyboardInterrupt where it was stopped, and everything is as it was.
    """
    with _lock(plan.place.etc), stoppable():
        for edit in plan.edits:
            _still(edit)
            sweep(edit.path.resolve())
        backup = _back_up(plan, stamp)
        try:
            for edit in plan.edits:
                put(edit.path, edit.after)
            _regenerate(plan)
            complaint = confirm(exim)
        except (OSError, SetupError) as error:
            complaint = str(error)
        except BaseException:
            _take_back(plan, backup, "stopped")
            raise
        if complaint:
            _take_back(plan, backup, complaint)
            raise SetupError(f"{complaint}\nEverything is as it was before.")
        return Changed(backup)


def _still(edit: Edit) -> None:
    """Raise SetupError where a file is no longer what the plan was made for."""
    if read(edit.path) != edit.before:
        raise SetupError(f"{edit.path} has been changed meanwhile; nothing was done to it: run this again")


def _take_back(plan: InstallPlan, backup: Path | None, complaint: str) -> None:
    """Put every file back, the switch first. Raises SetupError where one cannot be, or no configuration be made."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        left = [text for edit in reversed(plan.edits) if (text := _put_back(edit, plan, backup))]
        if left:
            raise SetupError("\n".join([complaint, *left]))
        try:
            _regenerate(plan)
        except SetupError as error:
            if str(error) != complaint:
                raise SetupError(f"{complaint}\nEvery file is as it was, but {error}") from None
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def _put_back(edit: Edit, plan: InstallPlan, backup: Path | None) -> str:
    """Put one file back; return what to do by hand where that fails."""
    kept = backup / edit.path.relative_to(plan.place.etc) if backup is not None and edit.before is not None else None
    try:
        if read(edit.path) != edit.before:
            put(edit.path, edit.before)
    except (OSError, SetupError) as error:
        if kept is None:
            return f"{edit.path} could not be put back ({error}): delete it"
        try:
            kept.replace(edit.path.resolve())  # no space for another file: the backup itself goes back
        except OSError:
            return f"{edit.path} could not be put back ({error}): put {kept} there"
    return ""


def _regenerate(plan: InstallPlan) -> None:
    """Make the configuration that Exim reads; a directory that is not Exim's own is left to whoever uses it."""
    if plan.place.kind != "plain" and plan.place.etc == paths.EXIM_CONFIG:
        run_update([UPDATE])


def _back_up(plan: InstallPlan, stamp: str) -> Path | None:
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
            duplicate(edit.path, target)
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


@contextmanager
def _lock(etc: Path) -> Iterator[None]:
    """Keep a second `install` or `remove` out."""
    try:
        with directory_lock(etc, wait=False):
            yield
    except BlockingIOError:
        raise SetupError(f"{etc}: another `eximacl exim` is at work there; try again") from None


@contextmanager
def stoppable() -> Iterator[None]:
    """Have every way to stop the command raise KeyboardInterrupt, so that what was begun is taken back.

    May be nested.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go elsewhere
        return

    heeded = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores one
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in heeded]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


__all__ = ["Changed", "Edit", "change", "stoppable"]
