"""The daemon: one configuration, one state, one judge, one server, put together and kept going.

It assembles and schedules, and decides nothing about mail. A reload builds the new policy beside the current one and
swaps a reference between two queries; if anything is wrong with the new one, nothing changes.
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
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

from eximacl import __version__
from eximacl.archive import ArchiveError
from eximacl.archive.hold import Archiver, archive_threads
from eximacl.config import ConfigError, Loaded, load
from eximacl.config.settings import DnsSettings
from eximacl.daemon import blocks, disposable, greylist, sent
from eximacl.daemon.answers import STATE_SECONDS, within
from eximacl.daemon.control import Control, ControlRequest
from eximacl.daemon.front_end import EximFrontEnd
from eximacl.daemon.judge import Judge
from eximacl.daemon.limits import Limits
from eximacl.daemon.preflight import spool_problem
from eximacl.daemon.recorder import Recorder
from eximacl.daemon.server import Server
from eximacl.daemon.sockets import Listener, ListenError, inherited_listeners, open_socket
from eximacl.daemon.state_requests import StateRequest, Work
from eximacl.daemon.upkeep import (
    DAMAGE_SECONDS,
    LIST_REFRESH_SECONDS,
    NOTICE,
    POLICY_SECONDS,
    PRUNE_SECONDS,
    RETENTION_SECONDS,
    SHRINK_SECONDS,
    SOCKET_SECONDS,
    ClockWatch,
    PolicyWatch,
    SocketWatch,
    StateWatch,
    Upkeep,
    delete_old_records,
    forget_addresses,
    prune_state,
    refresh_lists,
    shrink_records,
)
from eximacl.dns.list_health import DnsNetwork
from eximacl.policy.state import StateError
from eximacl.protocol.exim import ProtocolError, Reply, error_reply, format_reply
from eximacl.records.references import References
from eximacl.state import open_state
from eximacl.system.systemd import Notifier
from eximacl.system.times import zoned

# How long a thread that is reading a long list may keep the queries waiting each time. With Python's own 5 ms, one
# query in a hundred takes 18 ms meanwhile; with this, 8 ms.
SWITCH_SECONDS = 0.0005
# How long `status` goes on about a state that did not answer: so long that a check every five minutes sees it.
STATE_TROUBLE_SECONDS = 600.0
# No DNS list is used before it has been tried. The first messages wait this long for that; Exim waits five seconds.
FIRST_PROBE_SECONDS = 1.0

log = logging.getLogger("eximacl")


# What commands ask of the state.
STATE_REQUESTS: Mapping[str, StateRequest] = {
    **blocks.REQUESTS,
    **disposable.REQUESTS,
    **greylist.REQUESTS,
    **sent.REQUESTS,
}


class StartError(Exception):
    """The daemon cannot start; the text says what to change."""


class Daemon:
    """Runs one configuration until it is stopped. `run` may be called once."""

    def __init__(self, loaded: Loaded, environ: Mapping[str, str] = os.environ) -> None:
        self._loaded = loaded
        self._loaded_at = time.time()
        self._policy_watch = PolicyWatch(loaded)
        self._state_watch = StateWatch(loaded.settings.state.url)
        self._started_with = loaded
        self._environ = environ
        self._started = time.time()
        self._stop = asyncio.Event()
        self._upkeep = Upkeep()
        self._watching: asyncio.Task[None] | None = None
        self._reloading = asyncio.Lock()
        self._problems: tuple[str, ...] = ()
        self._refused_at = 0.0
        self._accepted: tuple[str, ...] = ()
        self._notes: tuple[str, ...] = ()
        self._spool = ""
        self._notify = Notifier(environ)
        self._sockets = SocketWatch((), self._notify)
        self._recording = Recorder(loaded.settings)
        self._archive_threads = archive_threads()
        try:
            self._archiver = Archiver(loaded.settings, self._archive_threads)
            state = loaded.settings.state
            self._state = open_state(state.url, state.rows)  # last: after an error nothing would close it
        except (ArchiveError, StateError, ValueError) as error:
            raise StartError(str(error)) from None
        self._network = network_of(loaded.settings.dns)
        self._judge = Judge(
            loaded.policy,
            self._state,
            next_ref=References().next,
            archive=self._archiver.archive,
            network=self._network,
        )
        self._front_end = EximFrontEnd(self._judge, self._recording.record)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then answer what has arrived, and return. Raises StartError."""
        self._set_signals()
        try:
            listeners = self._listen()
        except ListenError as error:
            await self._close_state()
            raise StartError(str(error)) from None
        server = self._server(listeners)
        self._sockets = SocketWatch(listeners, self._notify)
        self._watch_lists()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._network.tried.wait(), FIRST_PROBE_SECONDS)
        server.start()
        sys.setswitchinterval(SWITCH_SECONDS)
        self._schedule()
        _spare_the_collector()
        self._look_at_spool()
        self._log_notes()
        await self._sockets.look()
        names = ", ".join(listener.name for listener in listeners)
        self._ready(f"serving {names}")
        log.info("eximacl %s serves %s", __version__, names)
        await self._stop.wait()
        self._notify.stopping()
        await server.close()
        await self._upkeep.stop()
        self._archive_threads.shutdown(wait=False, cancel_futures=True)
        self._network.close()
        self._recording.close()
        await self._close_state()
        log.info("stopped")

    def stop(self) -> None:
        """Make `run` end. Calling it again is harmless."""
        self._stop.set()

    async def reload(self, *, accept: bool = False, named: Collection[str] = ()) -> tuple[str, ...]:
        """Load the configuration again and swap it in. Return the problems of one that is refused; empty: done.

        accept: lists count even if they have lost most of their entries. named: only these; empty: all.

        One load at a time. A caller's load begins after its call, so it sees every change made before. It is finished
        even if the caller does not wait for it: lists of some million entries take longer than the server waits.
        """
        return await asyncio.shield(self._upkeep.start(self._reload(accept, named)))

    async def _reload(self, accept: bool, named: Collection[str]) -> tuple[str, ...]:
        async with self._reloading:
            self._notify.reloading()
            try:
                loaded = await asyncio.to_thread(load, self._loaded.path)
                archiver = await self._archiver_for(loaded)
            except ConfigError as error:
                self._refuse(tuple(map(str, error.problems)))
            except ArchiveError as error:
                self._refuse((str(error),))
            except BaseException:
                self._ready("a reload was not finished; the current policy stays")
                raise
            else:
                # In a thread, since to compare a list of a million entries takes a moment.
                take_over = partial(loaded.sources.take_over, self._loaded.sources, accept=accept, named=named)
                self._accepted = await asyncio.to_thread(take_over)
                self._take(loaded, archiver)
            return self._problems

    async def _archiver_for(self, loaded: Loaded) -> Archiver:
        """Return what archives by a new configuration. Raises ArchiveError.

        With unchanged settings that is the one there is: a disk that hangs must not hold up a reload.
        """
        if loaded.settings.archive == self._loaded.settings.archive:
            return self._archiver
        run = asyncio.get_running_loop().run_in_executor
        return await run(self._archive_threads, Archiver, loaded.settings, self._archive_threads)

    def _refuse(self, problems: tuple[str, ...]) -> None:
        self._problems, self._refused_at = problems, time.time()
        text = "the new policy has errors, so the daemon keeps the current one"
        log.error("%s:\n%s", text, "\n".join(problems))
        self._ready(text)

    def _take(self, loaded: Loaded, archiver: Archiver) -> None:
        """Judge by a new configuration from now on."""
        self._problems = ()
        self._notes = tuple(needs_restart(self._started_with, loaded))
        self._judge.policy = loaded.policy
        self._archiver = archiver
        self._judge.archive = archiver.archive
        if loaded.settings.dns != self._loaded.settings.dns:
            network = network_of(loaded.settings.dns)
            network.take_over(self._network)
            self._network.close()
            self._network = self._judge.network = network
        self._recording.reopen(loaded.settings)
        self._loaded, self._loaded_at = loaded, time.time()
        self._policy_watch = PolicyWatch(loaded)
        self._log_notes()
        self._watch_lists()
        self._look_at_spool()
        gc.unfreeze()
        _spare_the_collector()
        log.log(NOTICE, "reloaded %s", loaded.path)
        self._ready("reloaded")

    def _log_notes(self) -> None:
        """Complain about what is in force, but may not be meant, and about what is not in force."""
        for line in (*self._notes, *map(str, self._loaded.notes()), *self._loaded.sources.problems()):
            log.warning("%s", line)

    def _ready(self, text: str) -> None:
        """Report to systemd that the daemon serves; a lost socket is more worth showing than `text`."""
        self._notify.ready("; ".join(self._sockets.lost) or text)

    def _listen(self) -> list[Listener]:
        inherited = inherited_listeners(self._environ)
        if inherited:
            return inherited
        server = self._loaded.settings.server
        return [open_socket(server.socket, server.mode, server.group)]

    def _server(self, listeners: list[Listener]) -> Server:
        limits = Limits(waiting=self._loaded.settings.server.connections)
        front_end = self._front_end
        # One that is refused is not a query that failed, so it is not counted.
        control = Control(self._requests(), lambda error: format_reply(error_reply(error)))
        return Server(listeners, front_end.handle, front_end.refuse, control.handle, limits)

    def _set_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._upkeep.start(self._reload_logged()))

    async def _reload_logged(self) -> None:
        await self.reload()

    async def _close_state(self) -> None:
        try:
            await within(STATE_SECONDS, self._state.close())
        except StateError as error:
            log.error("%s", error)

    # What is done at intervals. `_loaded` is looked at each time, since a reload replaces it.

    def _schedule(self) -> None:
        every = self._upkeep.every
        every(LIST_REFRESH_SECONDS, lambda: refresh_lists(self._loaded.sources))
        every(SOCKET_SECONDS, self._look_for_sockets)
        every(PRUNE_SECONDS, lambda: prune_state(self._state))
        every(POLICY_SECONDS, self._look_at_policy)
        every(DAMAGE_SECONDS, self._state_watch.look)
        every(SHRINK_SECONDS, self._shrink)
        ages = ClockWatch()
        every(RETENTION_SECONDS, lambda: forget_addresses(self._state, self._loaded.settings.state.forget_days, ages))
        watch = ClockWatch()
        threads = self._archive_threads
        every(RETENTION_SECONDS, lambda: delete_old_records(self._recording, self._loaded.settings, watch, threads))
        if self._notify.watchdog_seconds:
            every(self._notify.watchdog_seconds / 2, self._watchdog)

    async def _look_for_sockets(self) -> None:
        if not self._stop.is_set():
            await self._sockets.look()

    async def _shrink(self) -> None:
        await shrink_records(self._recording, self._loaded.settings, self._archiver, self._archive_threads)

    async def _look_at_policy(self) -> None:
        self._stale()

    def _stale(self) -> str:
        """Return that the policy's files have changed; of a policy that was refused, its problems say more."""
        return "" if self._problems else self._policy_watch.look()

    async def _watchdog(self) -> None:
        self._notify.watchdog()

    def _watch_lists(self) -> None:
        """Keep finding out which of the DNS lists that the policy uses work."""
        if self._watching is not None:
            self._watching.cancel()
        self._watching = self._upkeep.start(self._network.watch(self._loaded.policy.probes))

    def _look_at_spool(self) -> None:
        """Complain at a start and at each reload, not only when the first held message is lost."""
        self._spool = spool_problem(self._loaded)
        if self._spool:
            log.error("%s", self._spool)

    # What commands ask.

    def _requests(self) -> dict[str, ControlRequest]:
        return {
            "ping": ControlRequest(lambda _: None, everyone=True),
            "status": ControlRequest(lambda _: self.status(), everyone=True),
            "reload": ControlRequest(self._answer_reload),
            "end-address": ControlRequest(self._end_address, everyone=True),
            **{name: ControlRequest(partial(self._ask_state, asked.work)) for name, asked in STATE_REQUESTS.items()},
        }

    async def _answer_reload(self, values: Mapping[str, str]) -> dict[str, Any]:
        named = values.get("lists", "").splitlines()
        wrong = list(self._loaded.sources.unknown(named))
        if wrong:
            raise ProtocolError("lists", "; ".join(wrong))
        problems = await self.reload(accept=values.get("accept") == "1", named=named)
        sources = self._loaded.sources
        kept = () if problems else sources.kept()
        resting = [line for line in sources.problems() if line not in kept]
        notes = [
            *self._notes,
            *map(str, self._loaded.notes()),
            *resting,
            *sources.waiting(),
            *filter(None, [self._spool]),
        ]
        accepted = () if problems else self._accepted
        return {"problems": list(problems), "kept": list(kept), "accepted": list(accepted), "notes": notes}

    async def _end_address(self, values: Mapping[str, str]) -> Reply:
        return await within(STATE_SECONDS, disposable.end_own(self._loaded, self._state, values, time.time()))

    async def _ask_state(self, work: Work, values: Mapping[str, str]) -> Any:
        return await within(STATE_SECONDS, work(self._state, values, time.time()))

    def status(self) -> dict[str, Any]:
        """Return what `eximacl status` shows; times in seconds since 1970.

        refused: those of the problems that are a new policy's. lists: the entries in force of each list, by path.
        """
        stale = self._stale()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "config": str(self._loaded.path),
            "uptime": round(time.time() - self._started, 1),
            "loaded": round(self._loaded_at, 1),
            "counts": {**self._judge.counts, "error": self._front_end.errors},
            "records": self._recording.status(),
            "dns": self._network.status(),
            "stale": bool(stale),
            "lists": self._loaded.sources.sizes(),
            "problems": [
                *self._refused(),
                *filter(None, [stale]),
                *self._loaded.sources.problems(),
                *self._sockets.lost,
                *self._state_trouble(),
                *self._judge.crowding(),
                *self._recording.problems(),
                *self._unkept(),
                *self._network.problems(),
            ],
            "refused": list(self._refused()),
            "notes": [*self._notes, *map(str, self._loaded.notes())],
        }

    def _refused(self) -> Iterator[str]:
        """Yield what was wrong with a new policy when it was read: it may be right by now."""
        when = zoned(self._refused_at)
        for problem in self._problems:
            yield f"the reload of {when} was refused: {problem}; once that is mended: eximacl reload"

    def _state_trouble(self) -> list[str]:
        damage = [*filter(None, [self._state_watch.damage])]
        last = self._judge.last_state_error
        if last is None or last[0] < time.time() - STATE_TROUBLE_SECONDS:
            return damage
        when, problem = last
        return [
            *damage,
            f"the state did not answer {self._judge.state_errors} questions, the last at {zoned(when)}: {problem}",
        ]

    def _unkept(self) -> list[str]:
        count = self._judge.not_archived
        lost = f"held, but not archived: {count} since the start, the last one {self._judge.last_not_archived}"
        return [*filter(None, [self._spool, self._archiver.late()]), *([lost] if count else [])]


def _spare_the_collector() -> None:
    """Exempt what exists now from garbage collection: a loaded policy lives until the next reload."""
    gc.collect()
    gc.freeze()


def needs_restart(old: Loaded, new: Loaded) -> list[str]:
    """Return a line for each changed setting that a reload cannot change."""
    was, now = old.settings, new.settings
    pairs = (
        ("[server]", was.server, now.server),
        ("state.url", was.state.url, now.state.url),
        ("state.rows", was.state.rows, now.state.rows),
    )
    return [f"{name} has changed: that takes effect when the daemon is restarted" for name, a, b in pairs if a != b]


def network_of(dns: DnsSettings) -> DnsNetwork:
    """Return the network as the settings want it asked."""
    return DnsNetwork(dns.servers, budget_seconds=dns.budget, cache_entries=dns.cache)
