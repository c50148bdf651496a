"""One question's way through the name servers: ask, ask the next, follow aliases, go over to TCP, probe the silent.

A server that fails is followed by the next at once, one that is late when its time is over; a late answer still
counts. Every fetch ends once, within its own time, with records, without any, or with Unknown.

What is logged names servers and zones, never the name that was asked about, which may hold the key of a list.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from eximacl.dns import message
from eximacl.dns.cache import Key, Resolved
from eximacl.dns.servers import PROBE_SECONDS, Upstream, ZoneHealth
from eximacl.dns.transport import Channels, Exchange, ask_over_tcp, random_number
from eximacl.policy.outcome import Unknown

# Aliases that the server leaves to us: a resolver leaves none, an authoritative server one or two.
ALIASES_MAX = 8
# Connections at once: each takes a descriptor and a task, and few honest names have answers that long.
STREAMS_MAX = 64
# Of these, for names outside the policy's zones, which clients choose; their servers may hang.
CLIENTS_STREAMS_MAX = 48
# So the timer fires fifty times a second at most, however many look-ups there are.
GRAIN_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a fetch waits, in seconds.

    tries: before the question is sent again, to the next server or to the same one. A resolver that has to ask others
    needs some hundred milliseconds, and one lost packet must not use up a query's two seconds. After the last entry,
    it repeats.
    fetch: until it is given up. Longer than a query's budget: the next query about the same name profits from it.
    """

    tries: tuple[float, ...] = (0.6, 0.6, 1.2, 2.4)
    fetch: float = 5.0


class Timers:
    """The deadlines of one owner, on one timer of the event loop. clock: seconds that never go back.

    No deadline is ever cancelled: a call that comes too late finds its work done and does nothing. A deadline is
    noticed up to GRAIN_SECONDS late.
    """

    __slots__ = ("_clock", "_due", "_fires_at", "_loop", "_order", "_timer")

    def __init__(self, clock: Callable[[], float], loop: asyncio.AbstractEventLoop) -> None:
        self._clock = clock
        self._loop = loop
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = 0.0

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Call `call` when the clock has passed `when`."""
        heapq.heappush(self._due, (when, next(self._order), call))
        if self._timer is None or when + GRAIN_SECONDS < self._fires_at:
            self._arm()

    def sweep(self) -> None:
        """Call everything that is due now."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    def close(self) -> None:
        """Drop all deadlines."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _fire(self) -> None:
        self._timer = None
        self.sweep()
        if self._due:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now = self._clock()
        self._fires_at = max(self._due[0][0], now + GRAIN_SECONDS)
        self._timer = self._loop.call_later(self._fires_at - now, self._fire)


class Fetch(Exchange):
    """A question that is being asked: once, however many wait for it.

    key: as it was asked; `question` becomes that of the alias that is followed now. server: the one asked last.
    probe: the server that is being tested. attempt: counts the tries; a deadline of an earlier one is stale.
    failures: answers that settle nothing. aliases: how many were followed, and `seconds` for how long they hold.
    end: when it is given up. answer: None until it is finished. waiting: called with the answer.
    """

    __slots__ = (
        "aliases", "answer", "attempt", "end", "failures", "key", "probe", "seconds", "server", "servers", "stream",
        "waiting", "zone",
    )  # fmt: skip

    def __init__(
        self, key: Key, question: bytes, servers: Sequence[Upstream], zone: ZoneHealth | None, end: float
    ) -> None:
        super().__init__(question)
        self.key = key
        self.servers = servers
        self.zone = zone
        self.end = end
        self.server = servers[0]
        self.probe: Upstream | None = None
        self.attempt = 0
        self.failures = 0
        self.aliases = 0
        self.seconds = 0
        self.answer: Resolved | None = None
        self.stream: asyncio.Task[None] | None = None
        self.waiting: list[Callable[[Resolved], None]] = []

    def __str__(self) -> str:
        return f"{self.key[1]} of {self.key[0]}"

    def cancel_tries(self) -> None:
        """Ignore any further answers, over TCP too."""
        self.forget_tries()
        if self.stream is not None:
            self.stream.cancel()
            self.stream = None

    def finish(self, answer: Resolved) -> None:
        """Give the answer to all who wait for it, and ignore any other."""
        self.answer = answer
        self.cancel_tries()
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call(answer)


class Fetcher:
    """Asks in one event loop. finished: called once for each fetch, with its answer and the seconds that it holds.

    counts: where it counts `late` and `tcp`. read: see `answer.read`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
        timing: Timing,
        counts: dict[str, int],
        read: Callable[[bytes, bytes], message.Result],
        finished: Callable[[Fetch, Resolved, int], None],
    ) -> None:
        self.loop = loop
        self.timers = Timers(clock, loop)
        self.channels: Channels[Fetch] = Channels(loop, self._answered, self._broken)
        self._clock = clock
        self._timing = timing
        self._counts = counts
        self._read = read
        self._finished = finished
        self._probes: set[Fetch] = set()
        self._streams = 0

    def start(self, fetch: Fetch, now: float) -> None:
        """Ask. It may be finished when this returns."""
        self._try(fetch, now)

    def probe(self, server: Upstream, now: float) -> None:
        """Ask a server for what every resolver knows."""
        fetch = Fetch((".", "NS"), message.ROOT_NS, [server], None, now + PROBE_SECONDS)
        fetch.probe = server
        server.probe_at = fetch.end + PROBE_SECONDS
        self._probes.add(fetch)
        fetch.attempt += 1
        try:
            self.channels.send(fetch, server)
        except OSError as error:
            self._end_probe(fetch, error.strerror or "unreachable")
        else:
            self.timers.at(fetch.end, partial(self._late, fetch, fetch.attempt))

    @property
    def probing(self) -> list[Upstream]:
        """The servers that are being probed."""
        return [fetch.server for fetch in self._probes]

    def close(self) -> None:
        """Drop all deadlines and close all sockets; the owner finishes its own fetches."""
        for fetch in self._probes:
            fetch.finish(())
        self._probes.clear()
        self.timers.close()
        self.channels.close()

    def _try(self, fetch: Fetch, now: float) -> None:
        """Send the question to the fetch's server, or to the next that can be reached."""
        left = len(fetch.servers)
        while True:
            fetch.attempt += 1
            try:
                self.channels.send(fetch, fetch.server)
            except OSError as error:
                left -= 1
                why = f"{fetch.server}: {error.strerror}"
                fetch.server.suspect(None if left else fetch.zone, why, now)
                if left <= 0:
                    self._finished(fetch, Unknown(f"DNS: {fetch} cannot be asked for: {why}"), 0)
                    return
                self._next_server(fetch)
            else:
                self._expect(fetch, now)
                return

    def _expect(self, fetch: Fetch, now: float) -> None:
        pauses = self._timing.tries
        due = min(now + pauses[min(fetch.attempt, len(pauses)) - 1], fetch.end)
        self.timers.at(due, partial(self._late, fetch, fetch.attempt))

    def _next_server(self, fetch: Fetch) -> None:
        servers = fetch.servers
        fetch.server = servers[(servers.index(fetch.server) + 1) % len(servers)]

    def _late(self, fetch: Fetch, attempt: int) -> None:
        """Go on after a try that was not answered in time."""
        if fetch.answer is not None or fetch.attempt != attempt:
            return
        self._counts["late"] += 1
        now = self._clock()
        over = now >= fetch.end
        why = f"no answer from {fetch.server}"
        # Our address may have changed while the socket is still bound to the old one.
        for channel, _ in fetch.tries[-1:]:
            channel.drop()
        if fetch.probe:
            self._end_probe(fetch, "silent")
            return
        fetch.server.suspect(fetch.zone if over else None, why, now)
        if over:
            self._finished(fetch, Unknown(f"DNS: {why} about {fetch}"), 0)
            return
        if fetch.stream is not None:
            fetch.stream.cancel()
            fetch.stream = None
        self._next_server(fetch)
        self._try(fetch, now)

    def _broken(self, fetch: Fetch, server: Upstream, why: str) -> None:
        """Go on after the kernel has reported that the server cannot be reached."""
        if fetch.probe:
            self._end_probe(fetch, why)
        else:
            self._fail(fetch, server, why)

    def _fail(self, fetch: Fetch, server: Upstream, why: str, *, alive: bool = False) -> None:
        """Go on with a server that has not been asked yet, if there is one. alive: this one has answered."""
        now = self._clock()
        fetch.failures += 1
        last = fetch.failures >= len(fetch.servers) and server is fetch.server
        if not alive:
            server.suspect(fetch.zone if last else None, f"{server}: {why}", now)
        elif last and fetch.zone:
            fetch.zone.failed(f"{why} from {server}")
        if last:
            self._finished(fetch, Unknown(f"DNS: {why} from {server} about {fetch}"), 0)
        elif server is fetch.server:  # otherwise the next one is being asked already
            self._next_server(fetch)
            self._try(fetch, now)

    def _answered(self, fetch: Fetch, server: Upstream, wire: bytes) -> None:
        """Take an answer that matches a question of this fetch."""
        if fetch.probe:
            self._end_probe(fetch, "")
            return
        if fetch.edns and message.refuses_edns(wire):
            fetch.edns = False
            fetch.server = server
            self._try(fetch, self._clock())
            return
        self._take(fetch, server, self._read(wire, fetch.question))

    def _take(self, fetch: Fetch, server: Upstream, result: message.Result) -> None:
        match result:
            case message.Answer(texts, seconds):
                self._settle(fetch, server, texts, seconds)
            case message.Absent(seconds):
                self._settle(fetch, server, (), seconds)
            case message.Redirect(name, seconds):
                server.answered()
                self._follow(fetch, server, name, seconds)
            case message.Truncated():
                server.answered()
                self._ask_by_stream(fetch, server)
            case _:
                # A server that refuses us is as useless as a silent one, so that it is probed and left alone.
                alive = result.why != message.REFUSED
                if alive:
                    server.answered()
                self._fail(fetch, server, result.why, alive=alive)

    def _settle(self, fetch: Fetch, server: Upstream, texts: tuple[str, ...], seconds: int) -> None:
        server.answered()
        if fetch.zone is not None:
            fetch.zone.worked()
        self._finished(fetch, texts, min(seconds, fetch.seconds) if fetch.aliases else seconds)

    def _follow(self, fetch: Fetch, server: Upstream, name: bytes, seconds: int) -> None:
        """Ask about what the name is an alias of."""
        fetch.seconds = min(seconds, fetch.seconds) if fetch.aliases else seconds
        fetch.aliases += 1
        if fetch.aliases > ALIASES_MAX:
            self._fail(fetch, server, "too many CNAMEs", alive=True)
            return
        fetch.cancel_tries()
        fetch.question = name + fetch.question[-4:]
        fetch.server = server
        self._try(fetch, self._clock())

    # TCP.

    def _ask_by_stream(self, fetch: Fetch, server: Upstream) -> None:
        if fetch.stream is not None:
            return
        if self._streams >= (CLIENTS_STREAMS_MAX if fetch.zone is None else STREAMS_MAX):
            self._finished(fetch, Unknown(f"DNS: too many answers over TCP at once to ask about {fetch}"), 0)
            return
        self._counts["tcp"] += 1
        self._streams += 1
        fetch.attempt += 1
        fetch.server = server
        self._expect(fetch, self._clock())
        fetch.stream = self.loop.create_task(self._stream(fetch, server))
        fetch.stream.add_done_callback(self._stream_ended)

    def _stream_ended(self, _task: asyncio.Task[None]) -> None:
        self._streams -= 1

    async def _stream(self, fetch: Fetch, server: Upstream) -> None:
        number = random_number()
        question = fetch.question
        try:
            wire = await ask_over_tcp(server.address, message.query(number, question, fetch.edns))
        except (OSError, EOFError) as error:
            fetch.stream = None
            self._fail(fetch, server, f"TCP: {error or 'closed'}", alive=True)
            return
        fetch.stream = None
        if message.number_of(wire) != number or not message.is_answer(wire, question):
            self._fail(fetch, server, "another question's answer over TCP", alive=True)
            return
        result = self._read(wire, question)
        if isinstance(result, message.Truncated):
            result = message.Failed("truncated over TCP")
        self._take(fetch, server, result)

    def _end_probe(self, fetch: Fetch, why: str) -> None:
        """End a probe. why: why there is no answer; empty: there is one. A refusal is a sign of life like any other."""
        self._probes.discard(fetch)
        fetch.finish(())
        assert fetch.probe
        if why:
            fetch.probe.silent(why, self._clock())
        else:
            fetch.probe.answered()
