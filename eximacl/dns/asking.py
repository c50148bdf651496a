"""A look-up's way through the nameservers: send, wait, try the next, follow aliases, take TCP, probe who is silent.

Rule: what is logged names servers and zones, never the name that was asked, which may hold a list's key. And every
flight lands within its own limit, once, with found, absent or Unknown. A server that fails is followed by
the next at once, one that is late when its time is over; and whoever is late may still answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from eximacl.dns import message, stream
from eximacl.dns.alarms import Alarms
from eximacl.dns.cache import Answer
from eximacl.dns.flights import Flight
from eximacl.dns.servers import PROBE_SECONDS, Server
from eximacl.dns.transport import Channels, random_number
from eximacl.policy.outcome import Unknown

# Aliases that the server leaves to us: a resolver leaves none, an authoritative server one or two.
ALIASES_MAX = 8
# Connections at once: each holds a descriptor and a task, and honest names with such long answers are few.
STREAMS_MAX = 64


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a look-up waits, in seconds.

    tries: before the question is sent again, to the next server or the same; a resolver that has to ask the world
    needs some hundred milliseconds, and a lost packet shall not cost a query's two seconds. Then the last one again.
    flight: until it is given up; longer than a query's time, since the next query about the same will find it.
    """

    tries: tuple[float, ...] = (0.6, 0.6, 1.2, 2.4)
    flight: float = 5.0


class Asking:
    """Asks in one event loop. landed: called once for each flight with its answer and the seconds it holds.

    counts: `late` and `tcp` are counted there.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
        timing: Timing,
        counts: dict[str, int],
        landed: Callable[[Flight, Answer, int], None],
    ) -> None:
        self.loop = loop
        self.alarms = Alarms(clock, loop)
        self.channels = Channels(loop, self._answered, self._broken)
        self._clock = clock
        self._timing = timing
        self._counts = counts
        self._landed = landed
        self._probes: set[Flight] = set()
        self._streams = 0

    def start(self, flight: Flight, now: float) -> None:
        """Ask. It may have landed when this returns."""
        self._try(flight, now)

    def probe(self, server: Server, now: float) -> None:
        """Ask for what every resolver knows."""
        flight = Flight((".", "NS"), message.ROOT_NS, [server], None, now + PROBE_SECONDS)
        flight.probe = server
        server.probe_at = flight.end + PROBE_SECONDS
        self._probes.add(flight)
        flight.number += 1
        try:
            self.channels.send(flight, server)
        except OSError as error:
            self._end_probe(flight, error.strerror or "unreachable")
        else:
            self.alarms.at(flight.end, partial(self._late, flight, flight.number))

    @property
    def probing(self) -> list[Server]:
        """Who is being probed."""
        return [flight.server for flight in self._probes]

    def close(self) -> None:
        """Forget all deadlines and close all sockets; flights are their owner's to land."""
        for flight in self._probes:
            flight.land(())
        self._probes.clear()
        self.alarms.close()
        self.channels.close()

    def _try(self, flight: Flight, now: float) -> None:
        """Send the question to the flight's server, or the next that can be reached."""
        left = len(flight.servers)
        while True:
            flight.number += 1
            try:
                self.channels.send(flight, flight.server)
            except OSError as error:
                left -= 1
                why = f"{flight.server}: {error.strerror}"
                flight.server.suspect(None if left else flight.zone, why, now)
                if left <= 0:
                    self._landed(flight, Unknown(f"DNS: {flight} cannot be asked for: {why}"), 0)
                    return
                self._next_server(flight)
            else:
                self._expect(flight, now)
                return

    def _expect(self, flight: Flight, now: float) -> None:
        pauses = self._timing.tries
        due = min(now + pauses[min(flight.number, len(pauses)) - 1], flight.end)
        self.alarms.at(due, partial(self._late, flight, flight.number))

    def _next_server(self, flight: Flight) -> None:
        servers = flight.servers
        flight.server = servers[(servers.index(flight.server) + 1) % len(servers)]

    def _late(self, flight: Flight, number: int) -> None:
        """A try was not answered in time."""
        if flight.answer is not None or flight.number != number:
            return
        self._counts["late"] += 1
        now = self._clock()
        over = now >= flight.end
        why = f"no answer from {flight.server}"
        for channel, _ in flight.tries[-1:]:  # this machine's address may have changed, and its socket not
            channel.drop()
        if flight.probe:
            self._end_probe(flight, "silent")
            return
        flight.server.suspect(flight.zone if over else None, why, now)
        if over:
            self._landed(flight, Unknown(f"DNS: {why} about {flight}"), 0)
            return
        if flight.stream is not None:
            flight.stream.cancel()
            flight.stream = None
        self._next_server(flight)
        self._try(flight, now)

    def _broken(self, flight: Flight, server: Server, why: str) -> None:
        """The kernel says that the server cannot be reached."""
        if flight.probe:
            self._end_probe(flight, why)
        else:
            self._fail(flight, server, why)

    def _fail(self, flight: Flight, server: Server, why: str, *, alive: bool = False) -> None:
        """A server has not told; go on with one that has not been asked, if there is one. alive: it has answered."""
        now = self._clock()
        flight.failures += 1
        last = flight.failures >= len(flight.servers) and server is flight.server
        if not alive:
            server.suspect(flight.zone if last else None, f"{server}: {why}", now)
        elif last and flight.zone:
            flight.zone.failed(f"{why} from {server}")
        if last:
            self._landed(flight, Unknown(f"DNS: {why} from {server} about {flight}"), 0)
        elif server is flight.server:  # else another one is being asked already
            self._next_server(flight)
            self._try(flight, now)

    def _answered(self, flight: Flight, server: Server, wire: bytes) -> None:
        """An answer has come that matches a question of this flight's."""
        if flight.probe:
            self._end_probe(flight, "")
            return
        if flight.edns and message.refuses_edns(wire):
            flight.edns = False
            flight.server = server
            self._try(flight, self._clock())
            return
        self._take(flight, server, message.read(wire, flight.question))

    def _take(self, flight: Flight, server: Server, result: message.Result) -> None:
        match result:
            case message.Found(texts, seconds):
                self._found(flight, server, texts, seconds)
            case message.Absent(seconds):
                self._found(flight, server, (), seconds)
            case message.Elsewhere(name, seconds):
                server.answered()
                self._follow(flight, server, name, seconds)
            case message.Truncated():
                server.answered()
                self._ask_by_stream(flight, server)
            case _:
                alive = result.why != message.REFUSED
                if alive:
                    server.answered()
                self._fail(flight, server, result.why, alive=alive)

    def _found(self, flight: Flight, server: Server, texts: tuple[str, ...], seconds: int) -> None:
        server.answered()
        if flight.zone is not None:
            flight.zone.worked()
        self._landed(flight, texts, min(seconds, flight.seconds) if flight.aliases else seconds)

    def _follow(self, flight: Flight, server: Server, name: bytes, seconds: int) -> None:
        """Ask for what the name is an alias of."""
        flight.seconds = min(seconds, flight.seconds) if flight.aliases else seconds
        flight.aliases += 1
        if flight.aliases > ALIASES_MAX:
            self._fail(flight, server, "too many CNAMEs", alive=True)
            return
        flight.forget_tries()
        flight.question = name + flight.question[-4:]
        flight.server = server
        self._try(flight, self._clock())

    # TCP.

    def _ask_by_stream(self, flight: Flight, server: Server) -> None:
        if flight.stream is not None:
            return
        if self._streams >= STREAMS_MAX:
            self._landed(flight, Unknown(f"DNS: too many answers over TCP at once to ask about {flight}"), 0)
            return
        self._counts["tcp"] += 1
        self._streams += 1
        flight.number += 1
        flight.server = server
        self._expect(flight, self._clock())
        flight.stream = self.loop.create_task(self._stream(flight, server))
        flight.stream.add_done_callback(self._stream_ended)

    def _stream_ended(self, _task: asyncio.Task[None]) -> None:
        self._streams -= 1

    async def _stream(self, flight: Flight, server: Server) -> None:
        number = random_number()
        question = flight.question
        try:
            wire = await stream.ask(server.address, message.query(number, question, flight.edns))
        except (OSError, EOFError) as error:
            flight.stream = None
            self._fail(flight, server, f"TCP: {error or 'closed'}", alive=True)
            return
        flight.stream = None
        if message.number_of(wire) != number or not message.is_answer(wire, question):
            self._fail(flight, server, "another question's answer over TCP", alive=True)
            return
        result = message.read(wire, question)
        self._take(
            flight, server, message.Failed("truncated over TCP") if isinstance(result, message.Truncated) else result
        )

    def _end_probe(self, flight: Flight, why: str) -> None:
        """why: why it has no answer; empty: there is one, and a refusal is as good a sign of life as any other."""
        self._probes.discard(flight)
        flight.land(())
        assert flight.probe
        if why:
            flight.probe.silent(why, self._clock())
        else:
            flight.probe.answered()
