"""What the daemon does at intervals: read changed lists, watch its sockets, prune its state, delete old records."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

from eximacl.archive import purge
from eximacl.archive.hold import Archiver
from eximacl.config import Loaded, Settings
from eximacl.config.changed import changed, stamps
from eximacl.config.sources import Sources
from eximacl.daemon.answers import within
from eximacl.daemon.recorder import Recorder
from eximacl.daemon.sockets import Listener
from eximacl.policy.places import DAY_SECONDS
from eximacl.policy.state import CLOCK_SLACK_SECONDS, PRUNE_ROWS, State, StateError
from eximacl.state import damage_of, file_of
from eximacl.system.systemd import Notifier

T = TypeVar("T")

# An admin who has edited a list expects the effect at once; a stat of each list a second costs nothing.
LIST_REFRESH_SECONDS = 1.0
# Often enough that an admin who deleted the socket sees the error while they still remember what they did.
SOCKET_SECONDS = 1.0
# Expired rows only take space.
PRUNE_SECONDS = 60.0
# A joe job or a day's greylisting leaves more rows than one call deletes: queries get their turn in between.
PRUNE_PAUSE_SECONDS = 0.05
# How long one call may take where the state has to be waited for. Nothing waits for it except the next call.
PRUNE_ANSWER_SECONDS = 30.0
# A day that has taken its part of the journal's space pushes the oldest days out soon after midnight.
SHRINK_SECONDS = 60.0
# The journal is deleted in whole days.
RETENTION_SECONDS = 3600.0

# An admin who has edited the policy is told soon, but not while the second of two files is still being edited.
POLICY_SECONDS = 60.0
# A file is damaged by its disk, or by somebody; to read a large one takes a second of a thread.
DAMAGE_SECONDS = 3600.0
# What an admin expects to find in the log, although nothing is wrong. It is shown without `--verbose`.
NOTICE = 25

log = logging.getLogger("eximacl")


class Upkeep:
    """Background tasks of a daemon, kept until they end or are stopped. Use it inside a running event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine in the background; return its task."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` at this interval, from now on. An exception is logged, and the next time comes all the same."""
        self.start(self._repeat(seconds, work))

    async def stop(self) -> None:
        """Cancel all tasks, and wait until they have ended."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception:
                log.exception("a regular task failed; the next try is in %g s", seconds)


class SocketWatch:
    """Notices that a socket's file is gone: the daemon runs and everything looks well, but no client can reach it.

    lost: a line for each of these sockets, as of the last look.
    """

    def __init__(self, listeners: Sequence[Listener], notify: Notifier) -> None:
        self.lost: tuple[str, ...] = ()
        self._listeners = listeners
        self._notify = notify

    async def look(self) -> None:
        """Look at each socket's file. A change is logged once, and shown by systemctl."""
        lost = tuple(filter(None, (listener.lost() for listener in self._listeners)))
        for line in lost if lost != self.lost else ():
            log.error("%s", line)
            self._notify.status(line)
        self.lost = lost


class PolicyWatch:
    """Notices that the policy's files have changed and were not read again: nothing that is new in them is in force.

    stale: a line that says so, as of the last look; empty: what runs is what is there.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.stale = ""
        self._loaded = loaded
        self._stamps = stamps(loaded)

    def look(self) -> str:
        """Look at the files, and return `stale`. A change is logged once."""
        stale = changed(self._loaded, self._stamps)
        if stale and stale != self.stale:
            log.warning("%s", stale)
        self.stale = stale
        return stale


class StateWatch:
    """Notices that the state's file is damaged: the daemon goes on for now, and would not start again.

    damage: a line that says so, as of the last look; empty: it is whole, or kept in no file.
    """

    def __init__(self, url: str) -> None:
        self.damage = ""
        self._path = file_of(url)

    async def look(self) -> None:
        """Look at the whole file, in a thread. Damage is logged once."""
        if self._path is None:
            return
        found = await asyncio.to_thread(damage_of, self._path)
        damage = found and (
            f"state.url: {self._path} is damaged ({found}), and the daemon would not start with it: restore it from a "
            "backup, or move it away, while the daemon is stopped"
        )
        if damage and damage != self.damage:
            log.error("%s", damage)
        self.damage = damage


class ClockWatch:
    """Tells whether the wall clock can be believed: it has gone as far as the monotonic one since the last look.

    A clock that is set ahead for a few seconds would otherwise make every message look old enough to be deleted. After
    a leap the next look is compared with this one, so that a clock which stays where it is is believed then.
    """

    def __init__(self, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._apart = clock() - monotonic()

    def believable(self) -> bool:
        """Look. A machine that slept in between is not believed once, which only puts the work off."""
        before, self._apart = self._apart, self._clock() - self._monotonic()
        return abs(self._apart - before) <= CLOCK_SLACK_SECONDS


async def refresh_lists(sources: Sources) -> None:
    """Read the lists again that have changed."""
    refreshed = await asyncio.to_thread(sources.refresh)
    for shown in refreshed.changed:
        log.info("%s has changed and was read again", shown)
    for warning in refreshed.warnings:
        log.warning("%s", warning.message)
    for problem in refreshed.problems:
        log.error("%s", problem.message)


async def prune_state(state: State) -> None:
    """Delete what no longer counts, in as many calls as that takes."""
    try:
        while await within(PRUNE_ANSWER_SECONDS, state.prune(time.time())) == PRUNE_ROWS:
            await asyncio.sleep(PRUNE_PAUSE_SECONDS)
    except StateError as error:
        log.error("%s", error)


async def shrink_records(
    recorder: Recorder, settings: Settings, archiver: Archiver, archive_threads: Executor | None = None
) -> None:
    """Delete the oldest days of the journal, and the oldest archived messages, where all take too much space.

    It needs no clock that can be believed.
    """
    await asyncio.to_thread(recorder.shrink, time.time())
    if settings.archive.dir is not None and archiver.grew():
        run = asyncio.get_running_loop().run_in_executor
        await run(archive_threads, _purge, settings, 0)


async def forget_addresses(state: State, days: int, watch: ClockWatch) -> None:
    """Forget the counted and dated addresses that nobody has written to for `days` days; 0: none.

    A clock that is not believed would let used-up addresses take mail again.
    """
    if not days or not watch.believable():
        return
    forgotten = 0
    try:
        while (some := await within(PRUNE_ANSWER_SECONDS, state.forget_known(time.time() - days * DAY_SECONDS))) > 0:
            forgotten += some
            await asyncio.sleep(PRUNE_PAUSE_SECONDS)
    except StateError as error:
        log.error("%s", error)
    if forgotten:
        log.info("%d disposable addresses that nobody has written to for %d days are forgotten", forgotten, days)


async def delete_old_records(
    recorder: Recorder, settings: Settings, watch: ClockWatch, archive_threads: Executor | None = None
) -> None:
    """Delete the days of the journal and the archived messages that are not to be kept any longer."""
    if not watch.believable():
        log.warning("the clock was set; what is too old by it is deleted in an hour, if the clock stays")
        return
    await asyncio.to_thread(recorder.retain, time.time())
    if settings.archive.dir is not None:
        await asyncio.get_running_loop().run_in_executor(archive_threads, _purge, settings, settings.archive.keep_days)


def _purge(settings: Settings, keep_days: int) -> None:
    archive = settings.archive
    assert archive.dir is not None
    purged = purge(archive.dir, keep_days=keep_days, keep_mb=archive.keep_mb, now=time.time())
    for message in purged.messages:
        log.warning("archive: %s", message)
    for problem in purged.problems:
        log.error("archive: %s", problem)
