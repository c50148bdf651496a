"""Four DNS lists at RCPT: eximacl's `dnsbl`, Exim's own `dnslists`, and neither, in real SMTP sessions.

No client is listed, so each way asks all four lists. Cold: each session comes from another address. Warm: from one of
four. The DNS server and the clients are separate processes, outside the figures; CPU (µs a session) is that of Exim
with all its children, and of the daemon. Goal: warm, less CPU in all than Exim's own way; cold, at most twice as much.

| CPU in total, µs a session | cold | warm |
|---|---|---|
| bare Exim | 1,525 | 1,550 |
| Exim's own dnslists | 1,700 | 1,675 |
| eximacl without lists | 1,918 | 1,869 |
| eximacl | 2,174 | 1,956 |
| eximacl / Exim's own (least to most of five rounds) | 1.25 (1.18 to 1.52) | 1.14 (1.10 to 1.29) |

The goal is met cold and missed warm: to ask the daemon anything costs 320 to 390 µs (over half of it Exim's, for the
socket and the snippets), more than the 125 to 175 that Exim's four look-ups cost. One question serves all checks,
though. On a busy machine all figures grow by half, and the ratios were 1.04 to 1.13 warm, 1.36 to 1.53 cold.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from bench.running import HERE, STOP_SECONDS, BenchError
from tests.lab.daemon import Daemon
from tests.lab.exim import Lab
from tests.lab.names import Names, reverse_zone
from tests.lab.namespace import Missing, require, require_root
from tests.lab.site import Site

ROUNDS = 7
SESSIONS = 400
# Two processors, shared with Exim, the daemon and the DNS server: more clients would only wait for each other.
CLIENTS = 4
WARM_ADDRESSES = 4
ZONES = tuple(f"bl{number}.example.org" for number in range(1, 5))
WARM_GOAL, COLD_GOAL = 1.0, 2.0
SETTLE_SECONDS = 10.0
LOOK_SECONDS = 0.01
ANSWER_SECONDS = 30.0

# Lists are never asked about loopback clients, so the clients have addresses for benchmarks (RFC 2544, section 12.2),
# all of which are ours in a network namespace that ends with the benchmark.
CLIENT_NETWORK = ipaddress.IPv4Network("198.18.0.0/16")
EXIM_ADDRESS = "198.19.0.1"
DNS_ADDRESS = "127.0.0.1"
_ALONE = 'ip link set lo up && ip route add local 198.18.0.0/15 dev lo && exec "$@"'

BARE, OWN, OURS, ASKING = "neither (the limit)", "Exim's own dnslists", "eximacl", "eximacl without lists"
WAYS = (BARE, OWN, OURS, ASKING)
OWN_ACL = f"deny dnslists = {' : '.join(ZONES)}\n     message = $sender_host_address is listed by $dnslist_domain\n"
# What the client says; first it waits for the greeting.
DIALOGUE = (
    b"",
    b"EHLO mx.example.net\r\n",
    b"MAIL FROM:<ann@example.net>\r\n",
    b"RCPT TO:<steve@example.org>\r\n",
    b"RSET\r\n",
)
CACHES = ("cold", "warm")
POLICY = """
[server]
socket = "{directory}/eximacl.sock"
mode = "0666"
[state]
url = "sqlite:state.db"
[log]
rejections = "rejections.jsonl"
[journal]
dir = "journal"
[dns]
servers = ["{dns}"]
[policy]
domains = ["example.org"]
order = ["dnsbl"]
[checks.dnsbl]
zones = {zones}
"""


@dataclass(frozen=True)
class Run:
    """What one run of sessions cost, in µs a session; rate: sessions a second."""

    rate: float
    exim: float
    daemon: float

    @property
    def total(self) -> float:
        """Exim's and the daemon's."""
        return self.exim + self.daemon


@dataclass
class Way:
    """A running Exim, with its daemon if it has one, and the figures so far, by `cold` and `warm`."""

    lab: Lab
    daemon: Daemon | None
    runs: dict[str, list[Run]] = field(default_factory=lambda: {cache: [] for cache in CACHES})

    def cpu_seconds(self) -> tuple[float, float]:
        """Return the CPU time so far of Exim, once all its children have been counted, and of the daemon."""
        until = time.monotonic() + SETTLE_SECONDS
        while self.lab.children():
            if time.monotonic() > until:
                raise BenchError("Exim's children do not end")
            time.sleep(LOOK_SECONDS)
        return self.lab.cpu_seconds(), self.daemon.cpu_seconds() if self.daemon else 0.0

    def run(self, sources: Sequence[str]) -> Run:
        """Run one session from each of these addresses. Raises BenchError if one did not end as it should."""
        exim, daemon = self.cpu_seconds()
        begun = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as clients:
            for problem in clients.map(lambda source: session(self.lab.server, source), sources):
                if problem:
                    raise BenchError(f"{problem}\n{self.lab.logs()[-2000:]}")
        seconds = time.monotonic() - begun
        exim_after, daemon_after = self.cpu_seconds()
        each = 1e6 / len(sources)
        return Run(len(sources) / seconds, (exim_after - exim) * each, (daemon_after - daemon) * each)


def session(server: tuple[str, int], source: str) -> str:
    """Ask from `source` whether a recipient is accepted; return what went wrong, or nothing."""
    with socket.create_connection(server, ANSWER_SECONDS, (source, 0)) as client, client.makefile("rb") as replies:
        for said in DIALOGUE:
            client.sendall(said)
            reply = replies.readline()
            while reply[3:4] == b"-":
                reply = replies.readline()
            if not reply.startswith(b"2"):
                return f"{source}: {said!r}: {reply!r}"
        client.sendall(b"QUIT\r\n")  # and close: Exim delays its answer by 200 ms, to let clients do that
    return ""


@contextlib.contextmanager
def nameserver(directory: Path, clients: Sequence[str]) -> Iterator[None]:
    """Run the tests' DNS server in another process: it knows the clients' names and the lists' test points."""
    zone = {
        **reverse_zone({address: f"mx{number}.example.net" for number, address in enumerate(clients)}),
        **{(f"2.0.0.127.{name}", "A"): ["127.0.0.2"] for name in ZONES},
    }
    file = directory / "zone.json"
    file.write_text(json.dumps([(name, kind, records) for (name, kind), records in zone.items()]), encoding="utf-8")
    command = [sys.executable, "-m", "tests.lab.serve_names", f"{DNS_ADDRESS}:53", str(file)]
    with subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            if not server.stdout.readline():
                raise BenchError("the DNS server does not start")
            yield
        finally:
            server.terminate()
            server.wait(STOP_SECONDS)


@contextlib.contextmanager
def running(directory: Path, name: str) -> Iterator[Way]:
    """Run Exim in one of the ways."""
    with contextlib.ExitStack() as stack:
        daemon = None
        main = "smtp_accept_max = 100\nsmtp_accept_max_per_host = 0\n"
        site = Site(snippets=False, main=main, rcpt_acl=OWN_ACL if name == OWN else "")
        if name in (OURS, ASKING):
            home = directory / name.replace(" ", "-")
            home.mkdir()
            config, path = home / "eximacl.toml", home / "eximacl.sock"
            zones = json.dumps(ZONES if name == OURS else ())
            config.write_text(POLICY.format(directory=home, dns=DNS_ADDRESS, zones=zones))
            daemon = stack.enter_context(Daemon(config, path, home / "daemon.log"))
            site = Site(main=main, macros={"EXIMACL_SOCKET": str(path), "EXIMACL_ON_FAILURE": "defer"})
        names = cast("Names", SimpleNamespace(address=DNS_ADDRESS))
        yield Way(stack.enter_context(Lab(site, listen=(EXIM_ADDRESS, 0), names=names)), daemon)


def figures(rounds: int, sessions: int) -> Iterator[str]:
    """Yield the table's lines, inside the network namespace."""
    hosts = CLIENT_NETWORK.hosts()
    warm = [str(next(hosts)) for _ in range(WARM_ADDRESSES)]
    cold = [[str(next(hosts)) for _ in range(sessions)] for _ in range(rounds + 1)]
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eximacl-bench-")))
        directory.chmod(0o755)
        stack.enter_context(nameserver(directory, [*warm, *(address for one in cold for address in one)]))
        ways = {name: stack.enter_context(running(directory, name)) for name in WAYS}
        for way in ways.values():  # the first sessions fill the caches, and are not counted
            way.run([*warm, *cold[-1][:CLIENTS]])
        for number in range(rounds):
            # Each round begins with another way, so that other work of the machine does not always hit the same one.
            for name in (*WAYS[number % len(WAYS) :], *WAYS[: number % len(WAYS)]):
                ways[name].runs["cold"].append(ways[name].run(cold[number]))
                ways[name].runs["warm"].append(ways[name].run((warm * sessions)[:sessions]))
        yield from table(ways)


def table(ways: dict[str, Way]) -> Iterator[str]:
    """Yield the lines."""
    yield f"{'':30}{'sessions/s':>12}{'Exim':>9}{'daemon':>9}{'total':>9}"
    for cache in CACHES:
        for name, way in ways.items():
            runs = way.runs[cache]
            columns = ([run.rate for run in runs], [run.exim for run in runs], [run.daemon for run in runs])
            rate, exim, daemon = map(statistics.median, columns)
            total = statistics.median(run.total for run in runs)
            yield f"{cache:6}{name:24}{rate:>12,.0f}{exim:>9,.0f}{daemon:>9,.0f}{total:>9,.0f}"
    for cache, goal in (("warm", WARM_GOAL), ("cold", COLD_GOAL)):
        rounds = list(zip(*(ways[name].runs[cache] for name in WAYS), strict=True))
        ratios = [ours.total / own.total for _, own, ours, _ in rounds]
        median = statistics.median(ratios)
        yield (
            f"{cache}: eximacl / Exim's own {median:.2f} ({min(ratios):.2f} to {max(ratios):.2f}),"
            f" goal at most {goal:g}: {'met' if median <= goal else 'MISSED'}"
        )
        more = statistics.median(ours.total - asking.total for _, _, ours, asking in rounds)
        own_more = statistics.median(own.total - bare.total for bare, own, _, _ in rounds)
        yield f"{cache}: the four lists alone {more:,.0f} µs a session, Exim's own {own_more:,.0f}"


def measure(_directory: Path, rounds: int = ROUNDS) -> Iterator[str]:
    """Yield the lines of the report. Raises BenchError if a session did not end as it should."""
    try:
        require_root()
        require("unshare", "ip", package="util-linux iproute2")
    except Missing as error:
        raise BenchError(str(error)) from None
    inside = [sys.executable, "-m", "bench.dnslists", str(rounds), str(SESSIONS)]
    command = ["unshare", "--net", "sh", "-c", _ALONE, "sh", *inside]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"no figures:\n{done.stderr}")
    yield from done.stdout.splitlines()


if __name__ == "__main__":
    for line in figures(int(sys.argv[1]), int(sys.argv[2])):
        print(line, flush=True)
