"""Carrying a plan out. At each moment, and after a `kill -9` at any, Exim has a configuration that it accepts.

The copy of the snippets comes first, then the router, then the one file that turns eximacl on, each by a rename; the
generated configuration is replaced by Debian's own script, by a rename, too. What Exim refuses is undone, and so is
what was begun when the command is stopped.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eximacl.exim.errors import SetupError
from eximacl.exim.place import BACKUPS, read
from eximacl.exim.plan import Edit, InstallPlan
from eximacl.exim.program import Exim, check_configuration
from eximacl.exim.trial import UPDATE, run_update
from eximacl.system import paths
from eximacl.system.files import read_regular, replace_file, sweep, write_new
from eximacl.system.locks import directory_lock

# How a command is stopped: Ctrl-C, `kill`, a terminal that is closed.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PROC = Path("/proc")
# A number and a newline.
PID_BYTES_MAX = 32


def apply_plan(
    plan: InstallPlan, exim: Exim, stamp: str, *, confirm: Callable[[Exim], str] = check_configuration
) -> Path | None:
    """Carry a plan out, make the configuration, and have Exim read it; undo everything where Exim refuses it.

    stamp: the name of the backups, a date. confirm: returns what is wrong with the result; empty: nothing. Returns the
    directory with the files as they were; None where none was there before. Raises SetupError, and KeyboardInterrupt
    where it was stopped; then everything is as it was.
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
        return backup


def _still(edit: Edit) -> None:
    """Raise SetupError where a file has changed since the plan was made."""
    if read(edit.path) != edit.before:
        raise SetupError(f"{edit.path} has just been changed by someone else; nothing was done to it: run this again")


def _take_back(plan: InstallPlan, backup: Path | None, complaint: str) -> None:
    """Put every file back, the switch first. Raises SetupError where that fails, or no configuration can be made."""
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
            kept.replace(edit.path.resolve())  # there is no space for another file: move the backup itself back
        except OSError:
            return f"{edit.path} could not be put back ({error}): put {kept} there"
    return ""


def _regenerate(plan: InstallPlan) -> None:
    """Generate the configuration that Exim reads, if this is Exim's own directory and not a copy."""
    if plan.place.kind != "plain" and plan.place.etc == paths.EXIM_CONFIG:
        run_update([UPDATE])


def _back_up(plan: InstallPlan, stamp: str) -> Path | None:
    """Copy each file that will change; return the directory. Raises SetupError."""
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
    """Let only one `install` or `remove` run at a time. Raises SetupError."""
    try:
        with directory_lock(etc, wait=False):
            yield
    except BlockingIOError:
        raise SetupError(f"{etc}: another `eximacl exim` is running there; try again later") from None


@contextmanager
def stoppable() -> Iterator[None]:
    """Make every way to stop the command raise KeyboardInterrupt, so that what was begun is undone. May be nested."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return

    heeded = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores SIGHUP
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in heeded]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def put(path: Path, text: str | None) -> None:
    """Give a file this text in one step; None: delete it. Where it is a link, that is for the file that it leads to.

    Raises OSError, and has changed nothing then.
    """
    if text is None:
        path.resolve().unlink(missing_ok=True)
    else:
        replace_file(path, text.encode("utf-8", "surrogateescape"))


def duplicate(path: Path, copy: Path) -> None:
    """Copy a file with its mode, owner and times to a new one. Raises OSError."""
    found = path.stat()
    write_new(copy, path.read_bytes(), found.st_mode & 0o7777, (found.st_uid, found.st_gid))
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))


def daemon_pid(exim: Exim, pid_file: Path | None = None, proc: Path = PROC) -> int | None:
    """Return the process id of Exim's daemon; None where its pid file does not name a running Exim."""
    named = pid_file or Path(exim.options("pid_file_path").get("pid_file_path") or paths.EXIM_PID)
    try:
        pid = int(read_regular(named, PID_BYTES_MAX))
        program = str((proc / str(pid) / "exe").readlink())
    except (OSError, ValueError):
        return None
    # The kernel marks a program that an upgrade has replaced.
    return pid if Path(program.removesuffix(" (deleted)")) == exim.path.resolve() else None


def reload_exim(exim: Exim, pid_file: Path | None = None) -> int | None:
    """Send SIGHUP to Exim's daemon, which then starts itself again (Exim specification, section 3.3).

    Returns its process id; None where no daemon runs. Open sessions go on with the old configuration.
    """
    pid = daemon_pid(exim, pid_file)
    if pid is not None:
        os.kill(pid, signal.SIGHUP)
    return pid
