"""The resolver: what is known is answered at once, and what is not is asked once.

Every caller is answered within its time, without a task of its own; a hundred callers with one question cost one
packet. What it costs, and why it is not c-ares: docs/dns.md.

Case randomization (0x20) is left out: the path to the resolver lies within this machine or its network, and some
devices on such paths change the case back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from eximacl.dns import message
from eximacl.dns.cache import Cache, Key, Resolved
from eximacl.dns.lookup import Fetch, Fetcher, Timing
from eximacl.dns.servers import RESOLV_CONF, Upstream, Upstreams, ZoneHealth
from eximacl.policy.outcome import Unknown

# Enough for the busiest second of a farm. Beyond it something else is wrong, and memory must stay bounded.
FETCHES_MAX = 4096
# Names outside the policy's zones are chosen by clients. However many of those wait for silent servers, there is room
# for the lists of the policy.
CLIENTS_FETCHES_MAX = FETCHES_MAX // 2


class Caller:
    """A caller who waits for the answers that are still None. only: it wants one answer, not a tuple of them."""

    __slots__ = ("_asked", "_only", "answers", "future", "missing")

    def __init__(self, asked: Sequence[Key], answers: list[Resolved | None], only: bool) -> None:
        self._asked = asked
        self._only = only
        self.answers = answers
        self.missing = answers.count(None)
        self.future: asyncio.Future[Resolved | tuple[Resolved, ...]] | None = None

    def take(self, place: int, answer: Resolved) -> None:
        """Take one answer; with the last one the caller goes on."""
        if self.answers[place] is not None:
            return
        self.answers[place] = answer
        self.missing -= 1
        if not self.missing and self.future is not None and not self.future.done():
            self.future.set_result(self.result())

    def expire(self) -> None:
        """End its time: the answers that are missing are Unknown."""
        for place, answer in enumerate(self.answers):
            if answer is None:
                name, kind = self._asked[place]
                self.take(place, Unknown(f"DNS: no answer about {kind} of {name!a} within the query's time"))

    def result(self) -> Resolved | tuple[Resolved, ...]:
        """Return the answers, none of which is missing."""
        answers = tuple(answer for answer in self.answers if answer is not None)
        return answers[0] if self._only else answers


class Resolver:
    """Looks names up. It may be made anywhere; a look-up that has to wait needs a running event loop.

    servers: asked in this order, in the syntax of `parse_name_server`; none: the system's. Raises ValueError.
    clock: seconds that never go back; `until` is in its time. resolv_conf: the system's list of servers.
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        cache_entries: int = 10_000,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.monotonic,
        resolv_conf: Path = RESOLV_CONF,
    ) -> None:
        # It loads dnspython, for which commands that look nothing up should not wait; and later, when there is no
        # descriptor left, it could not be loaded.
        from eximacl.dns.answer import read

        self._read = read
        self._clock = clock
        self._timing = timing or Timing()
        self._cache = Cache(cache_entries)
        self._servers = Upstreams(servers, resolv_conf, clock)
        self._listed: list[Upstream] = self._servers.all
        self._zones: dict[str, ZoneHealth] = {}
        self._fetches: dict[Key, Fetch] = {}
        self._fetcher: Fetcher | None = None
        self._closed = False
        self._counts = dict.fromkeys(("hits", "misses", "joined", "questions", "ignored", "late", "tcp", "unknown"), 0)

    def set_zones(self, zones: Iterable[str]) -> None:
        """Set the zones that the policy asks about: each is left alone while it fails.

        What is known of a zone is kept if it is named again. For a zone with a place for a key, such as
        `{key}.bl.example.org`, the part after that place counts.
        """
        names = {message.canonical(zone.rpartition("}")[2].lstrip(".")) for zone in zones} - {""}
        self._zones = {name: self._zones.get(name) or ZoneHealth(name, self._clock) for name in sorted(names)}

    def lookup(self, name: str, kind: str, until: float) -> Resolved | Awaitable[Resolved]:
        """Return the records of `name`, or an awaitable of them that ends at `until`. Never raises."""
        answer = self._cache.get((name, kind), self._clock())
        if answer is not None:
            self._counts["hits"] += 1
            return answer
        return cast("Resolved | Awaitable[Resolved]", self._wait([(name, kind)], [None], until, only=True))

    def lookup_all(
        self, asked: Sequence[tuple[str, str]], until: float
    ) -> tuple[Resolved, ...] | Awaitable[tuple[Resolved, ...]]:
        """Return the answers to these names and kinds, all asked at once; otherwise as `lookup`."""
        now = self._clock()
        answers = [self._cache.get(key, now) for key in asked]
        known = len(answers) - answers.count(None)
        self._counts["hits"] += known
        if known == len(answers):
            return cast("tuple[Resolved, ...]", tuple(answers))
        found = self._wait(asked, answers, until, only=False)
        return cast("tuple[Resolved, ...] | Awaitable[tuple[Resolved, ...]]", found)

    def forget(self, asked: Iterable[tuple[str, str]]) -> None:
        """Drop the known answers to these names and kinds, so that the next look-up asks the servers."""
        for name, kind in asked:
            self._cache.drop((message.canonical(name), kind))

    def sweep(self) -> None:
        """Act on all deadlines that have passed. A timer calls it while anything is under way."""
        if self._fetcher is not None:
            self._fetcher.timers.sweep()

    @property
    def unanswered(self) -> bool:
        """Whether no server has answered what it was asked last."""
        return bool(self._listed) and all(server.unanswered for server in self._listed)

    def status(self) -> dict[str, Any]:
        """Return counts, the servers, and which servers and zones are left alone."""
        channels = self._fetcher.channels if self._fetcher else None
        return {
            "entries": len(self._cache),
            **self._counts,
            "questions": self._counts["questions"] + (channels.sent if channels else 0),
            "ignored": self._counts["ignored"] + (channels.ignored if channels else 0),
            "under_way": len(self._fetches),
            "servers": [str(server) for server in self._listed],
            "servers_probed": [str(server) for server in self._fetcher.probing] if self._fetcher else [],
            "servers_left_alone": [str(server) for server in self._listed if server.alone],
            "zones_left_alone": [zone.name for zone in self._zones.values() if zone.left_alone],
        }

    def close(self) -> None:
        """Give up all look-ups and close the sockets; from here on, what is not known is Unknown. Twice is harmless."""
        self._closed = True
        self._detach()

    def _detach(self) -> None:
        fetcher, self._fetcher = self._fetcher, None
        if fetcher is None:
            return
        fetches = list(self._fetches.values())
        self._fetches.clear()
        if not fetcher.loop.is_closed():  # otherwise nobody waits any more
            for fetch in fetches:
                fetch.finish(Unknown(f"DNS: the look-up of {fetch} was given up"))
        self._counts["questions"] += fetcher.channels.sent
        self._counts["ignored"] += fetcher.channels.ignored
        fetcher.close()

    def _attach(self) -> Fetcher | None:
        """Return the fetcher of the running event loop, or None without one. Fetches of another loop are given up."""
        if self._closed:
            return None
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        if self._fetcher is None or self._fetcher.loop is not loop:
            self._detach()
            self._fetcher = Fetcher(loop, self._clock, self._timing, self._counts, self._read, self._finish)
        return self._fetcher

    def _wait(
        self, asked: Sequence[Key], answers: list[Resolved | None], until: float, *, only: bool
    ) -> Resolved | tuple[Resolved, ...] | Awaitable[Resolved | tuple[Resolved, ...]]:
        caller = Caller(asked, answers, only)
        fetcher = self._attach()
        if fetcher is None:
            caller.expire()
            return caller.result()
        fetcher.channels.turn()
        now = self._clock()
        for place, (name, kind) in enumerate(asked):
            if answers[place] is None:
                self._join(fetcher, caller, place, (message.canonical(name), kind), now)
        if until <= now:
            caller.expire()
        if not caller.missing:
            return caller.result()
        caller.future = fetcher.loop.create_future()
        fetcher.timers.at(until, caller.expire)
        return caller.future

    def _join(self, fetcher: Fetcher, caller: Caller, place: int, key: Key, now: float) -> None:
        """Have one question answered: from the cache under its canonical name, by a fetch, or without one."""
        answer = self._cache.get(key, now)
        if answer is not None:
            self._counts["hits"] += 1
            caller.take(place, answer)
            return
        self._counts["misses"] += 1
        fetch = self._fetches.get(key)
        if fetch is not None:
            self._counts["joined"] += 1
        else:
            started = self._start(fetcher, key, now)
            if not isinstance(started, Fetch):
                self._counts["unknown"] += isinstance(started, Unknown)
                caller.take(place, started)
                return
            fetch = started
        if fetch.answer is not None:
            caller.take(place, fetch.answer)
        else:
            fetch.waiting.append(partial(caller.take, place))

    def _start(self, fetcher: Fetcher, key: Key, now: float) -> Fetch | Resolved:
        name, kind = key
        wire = message.encode_name(name)
        if wire is None:
            return ()
        if kind not in message.KINDS:
            return Unknown(f"DNS: records of kind {kind!a} are not asked for")
        zone = self._zone(name)
        if len(self._fetches) >= (CLIENTS_FETCHES_MAX if zone is None else FETCHES_MAX):
            return Unknown(f"DNS: too many look-ups at once to ask about {kind} of {name}")
        servers = self._usable(fetcher, now)
        if not servers:
            return Unknown(f"DNS: no name server answers ({', '.join(map(str, self._listed))})")
        if zone is not None and not zone.may_ask():
            return Unknown(f"DNS: zone {zone.name} is left alone since it failed too often")
        fetch = Fetch(key, message.question(wire, kind), servers, zone, now + self._timing.fetch)
        self._fetches[key] = fetch
        fetcher.start(fetch, now)
        return fetch

    def _zone(self, name: str) -> ZoneHealth | None:
        for suffix, zone in self._zones.items():
            if name.endswith(suffix) and (len(name) == len(suffix) or name[-len(suffix) - 1] == "."):
                return zone
        return None

    def _usable(self, fetcher: Fetcher, now: float) -> list[Upstream]:
        """Return the servers to ask, in order, and probe those that are due for it."""
        listed = self._servers.current()
        if listed is not self._listed:
            self._listed = listed
            fetcher.channels.keep(listed)
        for server in listed:
            if server.probe_at <= now:
                fetcher.probe(server, now)
        return [server for server in listed if not server.alone]

    def _finish(self, fetch: Fetch, answer: Resolved, seconds: int) -> None:
        self._fetches.pop(fetch.key, None)
        self._counts["unknown"] += isinstance(answer, Unknown)
        self._cache.put(fetch.key, answer, seconds, self._clock())
        fetch.finish(answer)
