"""A joe job: junk was sent in our name, and the bounces come here, while ordinary mail goes on.

Every message is sent and every reply counted, through a real Exim and the real daemon.

Half of the bounces to random localparts come one a connection, as small hosts send them, the other half ten a
connection, each in its own transaction, as large providers do. Bounces to the real address and ordinary mail come
one a connection.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import random
import string
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.daemon import Daemon
from tests.lab.dialogue import Client
from tests.lab.exim import Lab
from tests.lab.names import Names, reverse_zone
from tests.lab.site import Site

# Two processors, shared with Exim and the daemon: more senders would only wait for each other.
SENDERS = 4
PER_CONNECTION = (1, 10)
REAL = "steve"
MAILBOXES = (REAL, "juha")
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
[checks.valid_recipient]
recipients = ["steve", "juha"]
[checks.localpart_pattern]
patterns = ["[0-9]$"]
[checks.rdns_tld]
tlds = ["sa"]
"""
GOOD_HOSTS = {f"127.2.0.{number}": f"mx{number}.example.net" for number in range(1, 251)}


@dataclass(frozen=True)
class Connection:
    """What one client sends: a sender, and for each transaction a recipient."""

    sender: str
    recipients: tuple[str, ...]
    source: str


@dataclass
class Rehearsal:
    """What came of it. Replies are those that decided, of each kind of mail; `real` in the order in which they came."""

    random: Counter[str] = field(default_factory=Counter)
    good: Counter[str] = field(default_factory=Counter)
    real: list[str] = field(default_factory=list)
    connections: int = 0
    seconds: float = 0.0
    exim_seconds: float = 0.0
    daemon_seconds: float = 0.0
    queued: int = 0

    @property
    def messages(self) -> int:
        """How many messages were sent."""
        return self.random.total() + self.good.total() + len(self.real)


def rehearse(bounces: int, real: int, good: int) -> Rehearsal:
    """Send that many bounces to random localparts, bounces to a real one, and good messages, all mixed."""
    with _running() as (lab, daemon):
        found = Rehearsal()
        waiting: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        for connection in plan(bounces, real, good):
            waiting.put(connection)
        found.connections = waiting.qsize()
        begun, exim, ours = time.monotonic(), lab.cpu_seconds(), daemon.cpu_seconds()
        _all_at_once(lab, waiting, found)
        found.seconds = time.monotonic() - begun
        found.exim_seconds, found.daemon_seconds = lab.cpu_seconds() - exim, daemon.cpu_seconds() - ours
        found.queued = lab.queued()
        return found


def plan(bounces: int, real: int, good: int) -> list[Connection]:
    """Return all connections in the order in which they begin: the few spread evenly among the many. Same each time."""
    dice = random.Random(1)
    names = iter(lambda: "".join(dice.choices(string.ascii_lowercase, k=dice.randint(3, 12))), "")
    unknown = (name for name in names if name not in MAILBOXES)
    many: list[Connection] = []
    left = bounces
    for size in itertools.cycle((PER_CONNECTION[1], *PER_CONNECTION[:1] * PER_CONNECTION[1])):
        taken = tuple(f"{name}@example.org" for name in itertools.islice(unknown, min(size, left)))
        left -= len(taken)
        many.append(Connection("", taken, f"127.{dice.randint(3, 9)}.{dice.randint(0, 255)}.{dice.randint(1, 254)}"))
        if not left:
            break
    sources = itertools.cycle(GOOD_HOSTS)
    to_real = [Connection("", (f"{REAL}@example.org",), next(sources)) for _ in range(real)]
    ordinary = [
        Connection(f"ann{n}@example.net", (f"{MAILBOXES[n % 2]}@example.org",), next(sources)) for n in range(good)
    ]
    placed = [(at / len(some), one) for some in (many, to_real, ordinary) for at, one in enumerate(some)]
    return [one for _, one in sorted(placed, key=lambda pair: pair[0])]


@contextlib.contextmanager
def _running() -> Iterator[tuple[Lab, Daemon]]:
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eximacl-joe-")))
        directory.chmod(0o755)
        names = stack.enter_context(Names(reverse_zone(GOOD_HOSTS)))
        config = directory / "eximacl.toml"
        config.write_text(POLICY.format(directory=directory, dns=names.address))
        daemon = stack.enter_context(Daemon(config, directory / "eximacl.sock", directory / "daemon.log"))
        macros = {"EXIMACL_SOCKET": f"{directory}/eximacl.sock", "EXIMACL_ON_FAILURE": "defer"}
        main = "smtp_accept_max = 100\nsmtp_accept_max_per_host = 0\n"
        lab = stack.enter_context(Lab(Site(macros=macros, main=main), names=names))
        yield lab, daemon


def _all_at_once(lab: Lab, waiting: queue.SimpleQueue[Connection], found: Rehearsal) -> None:
    """Send all with several senders; raise the first error of any."""
    lock, in_order = threading.Lock(), threading.Lock()
    errors: list[Exception] = []

    def send() -> None:
        try:
            while not errors:
                connection = waiting.get_nowait()
                to_real = not connection.sender and connection.recipients[0].startswith(f"{REAL}@")
                # One bounce to the real address after the other, so that it is known which was the twentieth.
                with in_order if to_real else contextlib.nullcontext():
                    replies = converse(lab, connection)
                    with lock:
                        if to_real:
                            found.real += replies
                        else:
                            (found.good if connection.sender else found.random).update(r[:9] for r in replies)
        except queue.Empty:
            return
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def converse(lab: Lab, connection: Connection) -> list[str]:
    """Send one connection's messages, and return the reply that decided each."""
    replies = []
    with lab.client(connection.source) as client:
        client.reply()
        client.ask("EHLO client.example.net")
        for recipient in connection.recipients:
            replies.append(_transaction(client, connection.sender, recipient))
        client.send("QUIT")  # and away: Exim holds its answer back for 200 ms, hoping that the client closes first
    return replies


def _transaction(client: Client, sender: str, recipient: str) -> str:
    client.ask(f"MAIL FROM:<{sender}>")
    reply = client.ask(f"RCPT TO:<{recipient}>")
    if not reply.startswith("250"):
        client.ask("RSET")
        return reply
    client.ask("DATA")
    return client.ask("Subject: hello", f"From: <{sender or 'postmaster@example.net'}>", "", "text", ".")
