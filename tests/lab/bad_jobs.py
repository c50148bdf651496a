"""A site whose lists are rewritten every second by a job that often does it badly, under queries through a real Exim.

    python -m tests.lab.bad_jobs --seconds 3600 --rate 500

Good recipients and good senders must never be refused, whatever the job leaves behind. `make soak-lists` runs it.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from eximacl.protocol.control import read_status
from tests.lab.daemon import Daemon
from tests.lab.exim import Lab
from tests.lab.names import Names, reverse_zone
from tests.lab.site import Site

CLIENT = "127.0.2.1"
SENDER = "ann@friend.example.com"
GOOD = tuple(f"good{letter}{number}" for letter in "abcd" for number in range(10))
OTHERS = 5000
# RFC 5321 section 4.5.3.1.8 promises a hundred; Exim's pipelining takes as many in one packet.
RECIPIENTS = 50
CLIENTS = 4
JOB_SECONDS = 1.0
# How long a job that is slow or dead leaves its file as it is: over the two looks, and under the rest of a list.
PAUSE_SECONDS = (2.5, 8.0)

POLICY = """
[server]
socket = "{socket}"
[state]
url = "memory:"
[log]
rejections = ""
[journal]
dir = ""
[policy]
domains = ["example.org"]
order = ["valid_recipient", "bad_recipient", "sender_domain", "rdns_tld"]
[exempt]
senders = "lists/friends"
[checks.valid_recipient]
recipients = "lists/valid"
[checks.bad_recipient]
recipients = "lists/bad"
[checks.sender_domain]
domains = "lists/senders"
[checks.rdns_tld]
tlds = "lists/tlds"
"""
GARBAGE = (
    b"ERROR 1045 (28000): Access denied for user 'mail'@'localhost' (using password: YES)\n",
    b"",
    b"\x7fELF\x02\x01\x01\x00\x00",
    b"<html><head><title>502 Bad Gateway</title></head></html>\n",
    b'{"error": "timeout"}\n',
    b"Killed\n",
    b"com\n",
    b"root:x:0:0:root:/root:/bin/bash\ngooda0: smiller\n",
)


@dataclass
class Report:
    """What happened. told: how often the daemon's status had a problem with a list, by its first word."""

    queries: int = 0
    accepted: int = 0
    refused: list[str] = field(default_factory=list)
    deferred: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    rewritten: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def lines(self) -> Iterator[str]:
        """Yield the summary."""
        yield f"queries                {self.queries:,} in {self.seconds:.0f} s ({self.queries / self.seconds:.0f}/s)"
        yield f"good accepted          {self.accepted:,}"
        yield f"good refused           {len(self.refused)}"
        yield f"good deferred          {sum(self.deferred.values())}"
        yield f"unknown refused        {self.unknown:,}"
        yield f"lists rewritten        {', '.join(f'{how} {count}' for how, count in self.rewritten.most_common())}"
        yield f"seconds with a problem {', '.join(f'{name} {count}' for name, count in self.told.most_common())}"
        yield from (f"refused: {reply}" for reply in self.refused[:10])
        yield from (f"deferred {count} times: {reply}" for reply, count in self.deferred.most_common(10))


class Job:
    """Rewrites one list in one of the ways in which such jobs go wrong."""

    def __init__(self, path: Path, entries: list[str], stopped: threading.Event, choose: random.Random) -> None:
        self._path = path
        self._entries = entries
        self._stopped = stopped
        self._choose = choose
        self.ways: dict[str, Callable[[], None]] = {
            "renamed": self.renamed,
            "in place": self.in_place,
            "cut short": self.cut_short,
            "garbage": self.garbage,
            "paused": self.paused,
            "UTF-16": self.utf_16,
            "gone": self.gone,
        }

    def renamed(self) -> None:
        """Write another file, and rename it: as it should be."""
        new = self._path.with_suffix(".new")
        new.write_text(self._text())
        new.replace(self._path)

    def in_place(self) -> None:
        """Write into the file itself."""
        self._path.write_text(self._text())

    def cut_short(self) -> None:
        """End somewhere in the middle, as on a full disk."""
        text = self._text()
        self._path.write_text(text[: self._choose.randrange(len(text))])
        self._pause()

    def garbage(self) -> None:
        """Write something that is not a list."""
        self._path.write_bytes(self._choose.choice(GARBAGE))
        self._pause()

    def paused(self) -> None:
        """Wait for a slow database in the middle."""
        text = self._text()
        middle = self._choose.randrange(len(text))
        with self._path.open("w") as file:
            file.write(text[:middle])
            file.flush()
            self._pause()
            file.write(text[middle:])

    def utf_16(self) -> None:
        """Write another encoding."""
        self._path.write_text(self._text(), encoding="utf-16")
        self._pause()

    def gone(self) -> None:
        """Delete the file first."""
        self._path.unlink(missing_ok=True)
        self._pause()
        self._path.write_text(self._text())

    def _text(self) -> str:
        self._choose.shuffle(self._entries)
        return "".join(f"{entry}\n" for entry in self._entries)

    def _pause(self) -> None:
        self._stopped.wait(self._choose.uniform(*PAUSE_SECONDS))


class BadJobs:
    """The site, its jobs and its clients, until `seconds` are over."""

    def __init__(self, directory: Path, seconds: float, rate: float, seed: int) -> None:
        self.report = Report()
        self._directory = directory
        self._seconds = seconds
        self._pause = RECIPIENTS * CLIENTS / rate
        self._seed = seed
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> Report:
        """Run it; return what happened."""
        socket = self._directory / "s"
        jobs = self._jobs()
        config = self._directory / "eximacl.toml"
        config.write_text(POLICY.format(socket=socket))
        site = Site(macros={"EXIMACL_SOCKET": str(socket)}, mailboxes=GOOD, main="recipients_max = 1000")
        with ExitStack() as stack:
            names = stack.enter_context(Names(reverse_zone({CLIENT: "mx.friend.example.com"})))
            stack.enter_context(Daemon(config, socket, self._directory / "daemon.log"))
            lab = stack.enter_context(Lab(site, names=names))
            work: list[Callable[[], None]] = [partial(self._rewrite, job, number) for number, job in enumerate(jobs)]
            work += [partial(self._send, lab)] * CLIENTS
            work.append(partial(self._watch, socket))
            threads = [threading.Thread(target=each) for each in work]
            started = time.monotonic()
            for thread in threads:
                thread.start()
            self._stopped.wait(self._seconds)
            self._stopped.set()
            for thread in threads:
                thread.join()
            self.report.seconds = time.monotonic() - started
        return self.report

    def _jobs(self) -> list[Job]:
        lists = {
            "valid": [*GOOD, *(f"user{number}" for number in range(OTHERS))],
            "friends": ["@partner.example", *(f"boss{number}@net.example" for number in range(50))],
            "bad": [f"ex{number} No longer here" for number in range(50)],
            "senders": [f"spam{number}.com.example" for number in range(200)],
            "tlds": [f"{first}{second}.example" for first, second in itertools.product("uvwxyz", repeat=2)],
        }
        directory = self._directory / "lists"
        directory.mkdir()
        jobs = []
        for number, (name, entries) in enumerate(lists.items()):
            job = Job(directory / name, entries, self._stopped, random.Random(self._seed + number))
            job.in_place()
            jobs.append(job)
        return jobs

    def _rewrite(self, job: Job, number: int) -> None:
        choose = random.Random(self._seed - 1 - number)
        while not self._stopped.wait(JOB_SECONDS):
            way = choose.choice(list(job.ways))
            job.ways[way]()
            with self._lock:
                self.report.rewritten[way] += 1

    def _send(self, lab: Lab) -> None:
        due = time.monotonic()
        while not self._stopped.is_set():
            self._session(lab)
            due = max(due + self._pause, time.monotonic() - self._pause)
            self._stopped.wait(due - time.monotonic())

    def _session(self, lab: Lab) -> None:
        good = random.choices(GOOD, k=RECIPIENTS - 1)
        with lab.client(CLIENT) as client:
            client.reply()
            client.ask("EHLO mx.friend.example.com")
            recipients = [f"RCPT TO:<{name}@example.org>" for name in (*good, "nobody-of-that-name")]
            client.send(f"MAIL FROM:<{SENDER}>", *recipients)
            client.reply()
            replies = [client.reply() for _ in recipients]
            client.send("RSET", "QUIT")
        self._count(replies)

    def _count(self, replies: list[str]) -> None:
        with self._lock:
            self.report.queries += len(replies)
            self.report.unknown += replies[-1].startswith("550")
            for reply in replies[:-1]:
                if reply.startswith("250"):
                    self.report.accepted += 1
                elif reply.startswith("5"):
                    self.report.refused.append(reply)
                else:
                    self.report.deferred[reply] += 1

    def _watch(self, socket: Path) -> None:
        while not self._stopped.wait(1.0):
            for problem in read_status(socket)["problems"]:
                with self._lock:
                    self.report.told[problem.split()[0]] += 1


def run(seconds: float, rate: float, seed: int = 0) -> Report:
    """Run a site for some seconds, at some queries a second."""
    with tempfile.TemporaryDirectory(prefix="eximacl-jobs-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        return BadJobs(directory, seconds, rate, seed).run()


def main() -> int:
    """Run it as the options say; return 1 if a good recipient was refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long (default: an hour)")
    parser.add_argument("--rate", type=float, default=500.0, help="queries a second (default: 500)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats what the jobs do")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    report = run(given.seconds, given.rate, given.seed)
    print("\n".join(report.lines()))
    return 1 if report.refused or not report.accepted else 0


if __name__ == "__main__":
    sys.exit(main())
