"""The resolver: what is known is answered at once, what is not is asked once (DESIGN 4). No task waits.

Rule: every caller is answered within his time, at once where the cache knows; a hundred with one question cost one
packet.

CPU of the process a look-up (µs, of four at once as one query asks its blocklists; `python -m bench.dns`, Python 3.11):

| way | cold | warm |
|---|---|---|
| dnspython's asyncresolver (2.9.2; 2.3.0) | 620; 520 | 40; 34 |
| dnspython's messages over one connected socket (2.9.2; 2.3.0) | 310; 270 | |
| **here** | 57 | 0.6 |
| one connected socket, and nobody looks at the answers: the limit | 23 | |

Case randomization (0x20) is left out: the way to the resolver is this machine's or its network's, and some that sit
there in between change the case back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from eximacl.dns import message
from eximacl.dns.asking import Asking, Timing
from eximacl.dns.cache import Answer, Cache, Key
from eximacl.dns.flights import Flight, Waiting
from eximacl.dns.servers import RESOLV_CONF, Server, Servers, Zone
from eximacl.policy.outcome import Unknown

# A farm's worst second; beyond it something else is wrong, and memory shall stay bounded.
FLIGHTS_MAX = 4096


class Resolver:
    """Asks the DNS. It may be made anywhere; a look-up that has to wait needs a running event loop.

    servers: as `parse_name_server` reads them, in this order; none: the system's. Raises ValueError for a bad one.
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
        self._clock = clock
        self._timing = timing or Timing()
        self._cache = Cache(cache_entries)
        self._servers = Servers(servers, resolv_conf, clock)
        self._listed: list[Server] = self._servers.all
        self._zones: dict[str, Zone] = {}
        self._flights: dict[Key, Flight] = {}
        self._asking: Asking | None = None
        self._closed = False
        self._counts = dict.fromkeys(("hits", "misses", "joined", "questions", "ignored", "late", "tcp", "unknown"), 0)

    def set_zones(self, zones: Iterable[str]) -> None:
        """Name the zones that the policy asks about: each is left alone while it fails. What is known of them stays.

        Of a zone with a place for a key, `{key}.bl.example.org`, what follows that place counts.
        """
        names = {message.canonical(zone.rpartition("}")[2].lstrip(".")) for zone in zones} - {""}
        self._zones = {name: self._zones.get(name) or Zone(name, self._clock) for name in sorted(names)}

    def lookup(self, name: str, kind: str, until: float) -> Answer | Awaitable[Answer]:
        """Return the records of `name`, or an awaitable of them that ends at `until`. Never raises."""
        answer = self._cache.get((name, kind), self._clock())
        if answer is not None:
            self._counts["hits"] += 1
            return answer
        return cast("Answer | Awaitable[Answer]", self._wait([(name, kind)], [None], until, only=True))

    def lookup_all(
        self, asked: Sequence[tuple[str, str]], until: float
    ) -> tuple[Answer, ...] | Awaitable[tuple[Answer, ...]]:
        """Return the answer to each of these names and kinds, all asked at once; else as `lookup`."""
        now = self._clock()
        answers = [self._cache.get(key, now) for key in asked]
        known = len(answers) - answers.count(None)
        self._counts["hits"] += known
        if known == len(answers):
            return cast("tuple[Answer, ...]", tuple(answers))
        return cast("tuple[Answer, ...] | Awaitable[tuple[Answer, ...]]", self._wait(asked, answers, until, only=False))

    def forget(self, asked: Iterable[tuple[str, str]]) -> None:
        """Remember no answer to these names and kinds: who looks one up next will hear of the servers."""
        for name, kind in asked:
            self._cache.drop((message.canonical(name), kind))

    def sweep(self) -> None:
        """Notice all deadlines that have passed by the clock. A timer calls it while anything is under way."""
        if self._asking is not None:
            self._asking.alarms.sweep()

    def status(self) -> dict[str, Any]:
        """Return what is known, what was asked, and who is left alone."""
        channels = self._asking.channels if self._asking else None
        return {
            "entries": len(self._cache),
            **self._counts,
            "questions": self._counts["questions"] + (channels.sent if channels else 0),
            "ignored": self._counts["ignored"] + (channels.ignored if channels else 0),
            "under_way": len(self._flights),
            "servers": [str(server) for server in self._listed],
            "servers_probed": [str(server) for server in self._asking.probing] if self._asking else [],
            "servers_left_alone": [str(server) for server in self._listed if server.alone],
            "zones_left_alone": [zone.name for zone in self._zones.values() if zone.left_alone],
        }

    def close(self) -> None:
        """Give up all look-ups and close the sockets; what is not known is Unknown from here on. Twice is harmless."""
        self._closed = True
        self._detach()

    def _detach(self) -> None:
        asking, self._asking = self._asking, None
        if asking is None:
            return
        flights = list(self._flights.values())
        self._flights.clear()
        if not asking.loop.is_closed():  # else nobody is left to be told
            for flight in flights:
                flight.land(Unknown(f"DNS: the look-up of {flight} was given up"))
        self._counts["questions"] += asking.channels.sent
        self._counts["ignored"] += asking.channels.ignored
        asking.close()

    # What is not known.

    def _attach(self) -> Asking | None:
        """Work with the event loop that runs now; None where none may. What another one left is given up."""
        if self._closed:
            return None
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        if self._asking is None or self._asking.loop is not loop:
            self._detach()
            self._asking = Asking(loop, self._clock, self._timing, self._counts, self._land)
        return self._asking

    def _wait(
        self, asked: Sequence[Key], answers: list[Answer | None], until: float, *, only: bool
    ) -> Answer | tuple[Answer, ...] | Awaitable[Answer | tuple[Answer, ...]]:
        waiting = Waiting(asked, answers, only)
        waiting.missing = answers.count(None)
        asking = self._attach()
        if asking is None:
            waiting.expire()
            return waiting.result()
        asking.channels.turn()
        now = self._clock()
        for place, (name, kind) in enumerate(asked):
            if answers[place] is None:
                self._join(asking, waiting, place, (message.canonical(name), kind), now)
        if until <= now:
            waiting.expire()
        if not waiting.missing:
            return waiting.result()
        waiting.future = asking.loop.create_future()
        asking.alarms.at(until, waiting.expire)
        return waiting.future

    def _join(self, asking: Asking, waiting: Waiting, place: int, key: Key, now: float) -> None:
        """Have one question answered: from the cache under its canonical name, by a flight, or for lack of one."""
        answer = self._cache.get(key, now)
        if answer is not None:
            self._counts["hits"] += 1
            waiting.tell(place, answer)
            return
        self._counts["misses"] += 1
        flight = self._flights.get(key)
        if flight is not None:
            self._counts["joined"] += 1
        else:
            started = self._start(asking, key, now)
            if not isinstance(started, Flight):
                self._counts["unknown"] += isinstance(started, Unknown)
                waiting.tell(place, started)
                return
            flight = started
        if flight.answer is not None:
            waiting.tell(place, flight.answer)
        else:
            flight.waiting.append((waiting, place))

    def _start(self, asking: Asking, key: Key, now: float) -> Flight | Answer:
        name, kind = key
        wire = message.encode_name(name)
        if wire is None:
            return ()
        if kind not in message.KINDS:
            return Unknown(f"DNS: records of kind {kind!a} are not asked for")
        if len(self._flights) >= FLIGHTS_MAX:
            return Unknown(f"DNS: too many look-ups at once to ask about {kind} of {name}")
        servers = self._usable(asking, now)
        if not servers:
            return Unknown(f"DNS: no nameserver answers ({', '.join(map(str, self._listed))})")
        zone = self._zone(name)
        if zone is not None and not zone.may_ask():
            return Unknown(f"DNS: zone {zone.name} is left alone since it failed too often")
        flight = Flight(key, message.question(wire, kind), servers, zone, now + self._timing.flight)
        self._flights[key] = flight
        asking.start(flight, now)
        return flight

    def _zone(self, name: str) -> Zone | None:
        for suffix, zone in self._zones.items():
            if name.endswith(suffix) and (len(name) == len(suffix) or name[-len(suffix) - 1] == "."):
                return zone
        return None

    def _usable(self, asking: Asking, now: float) -> list[Server]:
        """Return the servers to ask, in order, and probe those whose time for it has come."""
        listed = self._servers.current()
        if listed is not self._listed:
            self._listed = listed
            asking.channels.keep(listed)
        for server in listed:
            if server.probe_at <= now:
                asking.probe(server, now)
        return [server for server in listed if not server.alone]

    def _land(self, flight: Flight, answer: Answer, seconds: int) -> None:
        self._flights.pop(flight.key, None)
        self._counts["unknown"] += isinstance(answer, Unknown)
        self._cache.put(flight.key, answer, seconds, self._clock())
        flight.land(answer)
