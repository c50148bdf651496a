"""The daemon: one configuration, one state, one judge, one server, put together and kept going.

Rule: it assembles and schedules, and decides nothing about mail. A reload builds the new policy beside the old
one and swaps a reference between two queries; whatever is wrong with the new one changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from eximacl import __version__
from eximacl.archive import ArchiveError, purge
from eximacl.archive.hold import Archiver
from eximacl.config import ConfigError, Loaded, load
from eximacl.config.settings import DnsSettings
from eximacl.daemon import blocks
from eximacl.daemon.answers import STATE_SECONDS, within
from eximacl.daemon.control import Control, Request
from eximacl.daemon.judge import Judge
from eximacl.daemon.preflight import spool_problem
from eximacl.daemon.recorder import Recorder
from eximacl.daemon.server import Limits, Server
from eximacl.daemon.sockets import Listener, ListenError, inherited_listeners, open_socket
from eximacl.dns.list_health import DnsNetwork
from eximacl.policy.state import PRUNE_ROWS, StateError
from eximacl.records.references import References
from eximacl.state import open_state
from eximacl.system.systemd import Notifier

# An admin who has touched a list looks for the effect at once; a stat of each list a second costs nothing.
LIST_REFRESH_SECONDS = 1.0
# Who deletes the socket's file finds it in the log while it is still known what was done.
SOCKET_SECONDS = 1.0
# How long a thread that reads a long list again may keep queries waiting, again and again: with Python's own 5 ms
# one in a hundred takes 18 ms meanwhile, with this 8 ms.
SWITCH_SECONDS = 0.0005
# Expired rows only take space.
PRUNE_SECONDS = 60.0
# A joe job or a day's greylisting leaves more rows than one call deletes: queries get their turn in between.
PRUNE_PAUSE_SECONDS = 0.05
# How long one call may take where the state has to be waited for: nobody waits for it, but the next call does.
PRUNE_ANSWER_SECONDS = 30.0
# Old days of the journal are deleted a day at a time.
RETENTION_SECONDS = 3600.0

# Until the DNS lists are tried out none of them is used: the first mails wait so long for that. Exim waits for five.
FIRST_PROBE_SECONDS = 1.0

log = logging.getLogger("eximacl")


class StartError(Exception):
    """The daemon cannot start; the text names what to change."""


class Daemon:
    """Runs one configuration until it is told to stop. `run` may be called once."""

    def __init__(self, loaded: Loaded, environ: Mapping[str, str] = os.environ) -> None:
        self._loaded = loaded
        self._loaded_at = time.time()
        self._started_with = loaded
        self._environ = environ
        self._started = time.time()
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._reloading = asyncio.Lock()
        self._problems: tuple[str, ...] = ()
        self._notes: tuple[str, ...] = ()
        self._listeners: list[Listener] = []
        self._lost: tuple[str, ...] = ()
        self._spool = ""
        self._notify = Notifier(environ)
        self._recording = Recorder(loaded.settings)
        try:
            keeper = Archiver(loaded.settings)
            self._state = open_state(loaded.settings.state.url)  # last: after an error nobody would close it
        except (ArchiveError, StateError, ValueError) as error:
            raise StartError(str(error)) from None
        self._network = network_of(loaded.settings.dns)
        self._judge = Judge(
            loaded.policy,
            self._state,
            next_ref=References().next,
            records=(self._recording.record,),
            keep=keeper.keep,
            network=self._network,
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then answer what has come, and return. Raises StartError."""
        self._set_signals()
        try:
            listeners = self._listeners = self._listen()
        except ListenError as error:
            await self._close_state()
            raise StartError(str(error)) from None
        limits = Limits(waiting=self._loaded.settings.server.connections)
        control = Control(self._requests(), self._judge.refuse)
        server = Server(listeners, self._judge.judge, self._judge.refuse, control.handle, limits)
        self._watch_lists()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._network.tried.wait(), FIRST_PROBE_SECONDS)
        server.start()
        sys.setswitchinterval(SWITCH_SECONDS)
        self._schedule()
        # What is loaded now lives as long as the daemon: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        self._look_at_spool()
        await self._look_for_sockets()
        self._ready(f"serving {', '.join(listener.name for listener in listeners)}")
        log.info("eximacl %s serves %s", __version__, ", ".join(listener.name for listener in listeners))
        await self._stop.wait()
        self._notify.stopping()
        await server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._network.close()
        self._recording.close()
        await self._close_state()
        log.info("stopped")

    async def _close_state(self) -> None:
        try:
            await within(STATE_SECONDS, self._state.close())
        except StateError as error:
            log.error("%s", error)

    def stop(self) -> None:
        """Make `run` end. Calling it again is harmless."""
        self._stop.set()

    async def reload(self) -> tuple[str, ...]:
        """Load the configuration anew and swap it in. Returns the problems of one that was refused; empty: done.

        One load at a time; the one that answers a caller began after its call, so it has seen all changes before it.
        """
        async with self._reloading:
            return await self._reload()

    async def _reload(self) -> tuple[str, ...]:
        self._notify.reloading()
        try:
            loaded = await asyncio.to_thread(load, self._loaded.path)
        except ConfigError as error:
            self._problems = tuple(str(problem) for problem in error.problems)
            log.error("the new policy is wrong, the old one stays:\n%s", "\n".join(self._problems))
            self._ready("the new policy is wrong, the old one stays")
            return self._problems
        try:
            keeper = Archiver(loaded.settings)
        except ArchiveError as error:
            self._problems = (str(error),)
            log.error("the new policy is wrong, the old one stays:\n%s", self._problems[0])
            self._ready("the new policy is wrong, the old one stays")
            return self._problems
        self._notes = tuple(needs_restart(self._started_with, loaded))
        for line in self._notes:
            log.warning("%s", line)
        self._judge.policy = loaded.policy
        self._judge.keep = keeper.keep
        if loaded.settings.dns != self._loaded.settings.dns:
            network = network_of(loaded.settings.dns)
            network.take_over(self._network)
            self._network.close()
            self._network = self._judge.network = network
        self._recording.reopen(loaded.settings)
        self._loaded, self._loaded_at = loaded, time.time()
        self._watch_lists()
        self._problems = ()
        self._look_at_spool()
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        log.info("reloaded %s", loaded.path)
        self._ready("reloaded")
        return ()

    def _ready(self, text: str) -> None:
        """Tell systemd that the daemon serves; where nobody finds it, that is what is shown."""
        self._notify.ready("; ".join(self._lost) or text)

    def _listen(self) -> list[Listener]:
        inherited = inherited_listeners(self._environ)
        if inherited:
            return inherited
        server = self._loaded.settings.server
        return [open_socket(server.socket, server.mode, server.group)]

    def _set_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._keep(self._reload_logged()))

    async def _reload_logged(self) -> None:
        await self.reload()

    # What is done again and again.

    def _schedule(self) -> None:
        self._keep(self._every(LIST_REFRESH_SECONDS, self._refresh_lists))
        self._keep(self._every(SOCKET_SECONDS, self._look_for_sockets))
        self._keep(self._every(PRUNE_SECONDS, self.prune))
        self._keep(self._every(RETENTION_SECONDS, self._retain))
        if self._notify.watchdog_seconds:
            self._keep(self._every(self._notify.watchdog_seconds / 2, self._watchdog))

    def _keep(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception:
                log.exception("a regular task failed; it is tried again in %g s", seconds)

    async def _refresh_lists(self) -> None:
        refreshed = await asyncio.to_thread(self._loaded.sources.refresh)
        for shown in refreshed.changed:
            log.info("%s has changed and was read again", shown)
        for problem in refreshed.problems:
            log.error("%s", problem)

    async def _look_for_sockets(self) -> None:
        """Tell once when a socket's file is gone: the daemon runs, all looks well, and nobody can ask it."""
        if self._stop.is_set():
            return
        lost = tuple(filter(None, (listener.lost() for listener in self._listeners)))
        for line in lost if lost != self._lost else ():
            log.error("%s", line)
            self._notify.status(line)
        self._lost = lost

    async def prune(self) -> None:
        try:
            while await within(PRUNE_ANSWER_SECONDS, self._state.prune(time.time())) == PRUNE_ROWS:
                await asyncio.sleep(PRUNE_PAUSE_SECONDS)
        except StateError as error:
            log.error("%s", error)

    async def _retain(self) -> None:
        await asyncio.to_thread(self._recording.retain, time.time())
        archive = self._loaded.settings.archive
        if archive.dir is not None:
            await asyncio.to_thread(_purge, archive.dir, archive.keep_days, archive.keep_mb)

    def _watch_lists(self) -> None:
        """Find out which of the DNS lists that the policy asks do work, from now on."""
        if self._watching is not None:
            self._watching.cancel()
        self._watching = self._keep(self._network.watch(self._loaded.policy.probes))

    async def _watchdog(self) -> None:
        self._notify.watchdog()

    # What `eximacl status` and `eximacl reload` ask.

    def _requests(self) -> dict[str, Request]:
        return {
            "ping": Request(lambda _: None, everyone=True),
            "status": Request(lambda _: self.status(), everyone=True),
            "reload": Request(lambda _: self._reload_and_tell()),
            **{name: Request(partial(self._ask_state, work)) for name, work in blocks.REQUESTS.items()},
        }

    async def _reload_and_tell(self) -> dict[str, Any]:
        problems = await self.reload()
        return {"problems": list(problems), "notes": [*self._notes, *filter(None, [self._spool])]}

    async def _ask_state(self, work: blocks.Work, values: Mapping[str, str]) -> Any:
        return await within(STATE_SECONDS, work(self._state, values, time.time()))

    def status(self) -> dict[str, Any]:
        """Return what `eximacl status` shows; times in seconds since 1970. refused: the problems of a new policy."""
        return {
            "version": __version__,
            "pid": os.getpid(),
            "config": str(self._loaded.path),
            "uptime": round(time.time() - self._started, 1),
            "loaded": round(self._loaded_at, 1),
            "counts": dict(self._judge.counts),
            "records": self._recording.status(),
            "dns": self._network.status(),
            "problems": [*self._problems, *self._lost, *self._unkept(), *self._network.problems()],
            "refused": list(self._problems),
            "notes": list(self._notes),
        }

    def _look_at_spool(self) -> None:
        """Tell at a start and at each reload, and not only when the first held message is lost."""
        self._spool = spool_problem(self._loaded)
        if self._spool:
            log.error("%s", self._spool)

    def _unkept(self) -> list[str]:
        count = self._judge.not_archived
        told = f"held, but not archived: {count} since the start, the last one {self._judge.last_not_archived}"
        return [*filter(None, [self._spool]), *([told] if count else [])]


def _purge(root: Path, keep_days: int, keep_mb: int) -> None:
    """Delete what the archive may not keep any longer, and log each message."""
    purged = purge(root, keep_days=keep_days, keep_mb=keep_mb, now=time.time())
    for message in purged.messages:
        log.warning("archive: %s", message)
    for problem in purged.problems:
        log.error("archive: %s", problem)


def needs_restart(old: Loaded, new: Loaded) -> list[str]:
    """Return a line for each changed setting that a reload cannot change."""
    was, now = old.settings, new.settings
    pairs = (("[server]", was.server, now.server), ("state.url", was.state, now.state))
    return [f"{name} has changed: that takes effect when the daemon is restarted" for name, a, b in pairs if a != b]


def network_of(dns: DnsSettings) -> DnsNetwork:
    """Return the network as the settings want it asked."""
    return DnsNetwork(dns.servers, budget_seconds=dns.budget, cache_entries=dns.cache)
