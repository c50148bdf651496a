"""Name servers and zones: which are asked, and which are left alone because they keep failing.

That one is left alone is logged once, and once that it works again.

A zone here is one that the policy asks about, such as that of a blocklist; a failing third-party domain must not block
look-ups of other domains. A time-out alone does not show whether the server is at fault or the zone. So it counts
against the server until that answers anything, and from then on against the zone. A server that has let SUSPICIONS
questions time out is asked for the root's name servers, which every resolver knows, and it is left alone only if it is
silent about them, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from eximacl.mail.hosts import NameServer, ip_address, parse_name_server
from eximacl.system.files import open_regular

RESOLV_CONF = Path("/etc/resolv.conf")
# What resolv.conf(5) says where it names none.
LOCAL_SERVER = "127.0.0.1"
# A longer file is something else; real ones have some hundred bytes.
RESOLV_CONF_BYTES_MAX = 65_536
# A DHCP client or a VPN rewrites the file; this long it may take until that is noticed.
LOOK_SECONDS = 5.0
# One lost packet or slow zone means nothing; five time-outs in a row do.
SUSPICIONS = 5
# An answer from a server's cache takes milliseconds; over a bad line, some hundred.
PROBE_SECONDS = 1.0
# A packet every five seconds finds out that a dead server is back.
SERVER_PAUSE_SECONDS = 5.0
# A blocklist that is down is down for minutes; a question every half minute finds out that it is back.
ZONE_FAILURES = 5
ZONE_PAUSE_SECONDS = 30.0

log = logging.getLogger("eximacl")


class ZoneHealth:
    """A zone that the policy asks about, and whether it is worth asking now."""

    __slots__ = ("_clock", "_failures", "_next", "name")

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name = name
        self._clock = clock
        self._failures = 0
        self._next = 0.0

    @property
    def left_alone(self) -> bool:
        """Whether it has failed too often in a row."""
        return self._failures >= ZONE_FAILURES

    def may_ask(self) -> bool:
        """Whether to ask it now. While it is left alone, one question in each pause is let through, to find out."""
        if not self.left_alone:
            return True
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + ZONE_PAUSE_SECONDS
        return True

    def worked(self) -> None:
        """Note that it has answered, with records or without."""
        if self.left_alone:
            log.warning("DNS zone %s answers again", self.name)
        self._failures = 0

    def failed(self, why: str) -> None:
        """Note that a look-up below it has failed."""
        self._failures += 1
        if self._failures == ZONE_FAILURES:
            self._next = self._clock() + ZONE_PAUSE_SECONDS
            log.warning(
                "DNS zone %s has failed %d times in a row (%s): it is left alone, and tried again every %d s",
                *(self.name, ZONE_FAILURES, why, ZONE_PAUSE_SECONDS),
            )


class Upstream:
    """A name server that we ask, and whether it answers.

    alone: whether it is left alone. probe_at: when to ask it for the root's name servers; infinite while it is well.
    """

    __slots__ = ("_suspects", "address", "alone", "probe_at")

    def __init__(self, address: NameServer) -> None:
        self.address = address
        self.alone = False
        self.probe_at = float("inf")
        # For each question in a row that it did not answer: whose fault it is if the server is well, and why.
        self._suspects: list[tuple[ZoneHealth | None, str]] = []

    def __str__(self) -> str:
        return str(self.address)

    @property
    def unanswered(self) -> bool:
        """Whether it has not answered what it was asked last."""
        return self.alone or bool(self._suspects)

    def suspect(self, zone: ZoneHealth | None, why: str, now: float) -> None:
        """Note that it has not answered. zone: the zone of the look-up, if that has failed now."""
        if self.alone:
            return
        self._suspects.append((zone, why))
        if len(self._suspects) == SUSPICIONS:
            self.probe_at = now

    def answered(self) -> None:
        """Note that it has answered something: what it was silent about was not its fault, but that of the zones."""
        if not self._suspects and not self.alone:
            return
        suspects, self._suspects = self._suspects, []
        self.probe_at = float("inf")
        if self.alone:
            self.alone = False
            log.warning("name server %s answers again", self)
            return
        for zone, why in suspects:
            if zone is not None:
                zone.failed(why)

    def silent(self, why: str, now: float) -> None:
        """Note that it did not even answer the probe."""
        self._suspects.clear()
        self.probe_at = now + SERVER_PAUSE_SECONDS
        if not self.alone:
            self.alone = True
            log.warning(
                "name server %s does not answer (%s): it is left alone, and tried again every %d s", self, why,
                SERVER_PAUSE_SECONDS,
            )  # fmt: skip


class Upstreams:
    """The name servers, in the order of asking: those given, or the system's, read again when they change."""

    def __init__(self, given: Sequence[str], resolv_conf: Path, clock: Callable[[], float]) -> None:
        self.all = [Upstream(parse_name_server(text)) for text in given]
        self._system = not given
        self._file = resolv_conf
        self._clock = clock
        self._look_at = float("-inf")
        self._seen: tuple[int, ...] | None = None

    def current(self) -> list[Upstream]:
        """Return all of them, including those left alone."""
        if self._system and self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_SECONDS
            self._look()
        return self.all

    def _look(self) -> None:
        try:
            found = self._file.stat()
            seen: tuple[int, ...] = (found.st_mtime_ns, found.st_ino, found.st_size)
        except OSError:
            seen = ()
        if seen == self._seen:
            return
        self._seen = seen
        addresses = self._read() if seen else []
        known = {server.address: server for server in self.all}
        # A file that is being written may be empty for a moment: the servers known by then stay.
        if addresses or not known:
            named = addresses or [parse_name_server(LOCAL_SERVER)]
            self.all = [known.get(address) or Upstream(address) for address in dict.fromkeys(named)]

    def _read(self) -> list[NameServer]:
        """Return the servers that the file names; its other lines do not matter here (resolv.conf(5))."""
        try:
            with open_regular(self._file) as file:
                text = file.read(RESOLV_CONF_BYTES_MAX).decode("utf-8", "replace")
        except OSError as error:
            log.warning("%s names no name server: %s", self._file, error.strerror)
            return []
        addresses = []
        for line in text.splitlines():
            words = line.split()
            if len(words) < 2 or words[0] != "nameserver":
                continue
            try:
                addresses.append(_listed(words[1]))
            except ValueError as error:
                log.warning("%s: nameserver %s", self._file, error)
        if not addresses:
            log.warning("%s names no name server: write a line such as `nameserver 127.0.0.1` into it", self._file)
        return addresses


def _listed(text: str) -> NameServer:
    """Read an address of resolv.conf(5): what is one is not refused for looking as if it ended in a port."""
    return parse_name_server(text) if ip_address(text) is None else NameServer(text)
