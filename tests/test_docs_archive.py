"""docs/archive.md is run: the way of one wrong refusal, with two real Exims and the real daemon.

Each command of the page is run where Exim and the daemon run, in the page's order, and what it prints is
compared. The page's bounce is the one that a real sender's Exim writes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import Lab, Names, Site, reverse_zone
from tests.lab.daemon import listens
from tests.lab.daemons import EXIM
from tests.lab.site import ROOT
from tests.lab.waiting import until

PAGE = (ROOT / "docs" / "archive.md").read_text(encoding="utf-8")
REF = "7KQ2M9D4"
# The page's client and server, and where they are in the lab.
CLIENT, CLIENT_HERE, SERVER = "192.0.2.7", "127.0.1.2", "192.0.2.25"
# The page's paths; in the lab they are below a directory of its own.
PLACES = ("/etc/eximacl", "/var/lib/eximacl", "/var/log/eximacl", "/run/eximacl")
# As wide as the page's tables.
TERMINAL_COLUMNS = "120"
# Where the daemon keeps all that the page's policy does not name.
ELSEWHERE = """
[server]
socket = "/run/eximacl/eximacl.sock"
[state]
url = "memory:"
[log]
rejections = "/var/log/eximacl/rejections.jsonl"
[journal]
dir = "/var/lib/eximacl/journal"
"""
ROUTER = """
to_example_org:
  driver = manualroute
  domains = example.org
  route_list = * mx.example.org byname
  self = send
  transport = to_example_org
"""
TRANSPORT = """
to_example_org:
  driver = smtp
  port = PORT
  interface = CLIENT
  helo_data = mail.example.com.br
  allow_localhost
"""
# What differs from run to run.
CHANGING = (
    (r"\d+\.M\d+P\d+Q\d+\.[\w.-]+", "NAME"),
    (r"-\d+-\d{16}\b", "-TX"),
    (r"\b\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d)?(?: UTC| \+0000)?", "DATE"),
    (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "DATE"),
    (r"\bE?\w{6}-(?:\w{6}-\w\w|\w{11}-\w{4})\b", "ID"),  # longer since Exim 4.97
    (r"\(Exim [\d.]+\)", "EXIM"),
    (r"\b\d+ (?:bytes|B)\b", "SIZE"),
    (r"[ \t]+$", ""),
)
MESSAGE = "From: ann@example.net\nTo: steve@example.org\nSubject: {subject}\n\n{text}\n"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language with its mark, and its text."""

    kind: str
    text: str


def blocks() -> list[Block]:
    """Return the page's blocks in order."""
    return [Block(*found) for found in re.findall(r"(?ms)^```([^\n]*)\n(.*?)^```$", PAGE)]


def block(kind: str) -> str:
    """Return the only block of that kind."""
    (found,) = (one.text for one in blocks() if one.kind == kind)
    return found


def sessions() -> Iterator[tuple[str, str]]:
    """Yield each command of the page's console blocks with what it prints."""
    for one in blocks():
        if one.kind == "console":
            for part in re.split(r"(?m)^\$ ", one.text)[1:]:
                command, _, output = part.partition("\n")
                yield command, output


def same(expected: str, printed: str) -> bool:
    """Whether a text is what the page has, but for what changes; `…` on the page stands for anything."""
    pattern = ".*".join(map(re.escape, steady(expected).split("…")))
    return re.fullmatch(pattern, steady(printed), re.DOTALL) is not None


def steady(text: str) -> str:
    """Return a text without what differs from run to run."""
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text.strip()


class Way:
    """The sender's Exim, and ours with the daemon; both know each other."""

    def __init__(self, home: Path, ours: Lab, theirs: Lab) -> None:
        self.home = home
        self.ours = ours
        self.theirs = theirs
        self.ref = ""

    def here(self, text: str) -> str:
        """Return the page's words as the lab has them."""
        for place in PLACES:
            text = text.replace(place, f"{self.home}{place}")
        return text.replace(CLIENT, CLIENT_HERE).replace(REF, self.ref or REF)

    def there(self, text: str) -> str:
        """Return the lab's words as the page has them."""
        text = text.replace(str(self.home), "").replace(CLIENT_HERE, CLIENT).replace(self.ours.server[0], SERVER)
        return text.replace(self.ref, REF) if self.ref else text

    def send(self, subject: str, text: str) -> None:
        """Have the sender write to Steve."""
        message = MESSAGE.format(subject=subject, text=text)
        self.theirs.run(EXIM, "-odi", "-f", "ann@example.net", "steve@example.org", text=message)
        self.theirs.deliver()

    def shell(self, command: str) -> str:
        """Run a command where Exim and the daemon run; return all that it prints to a terminal."""
        inside = shlex.quote(f"{self.here(command)}\ntrue")
        terminal = ["script", "--quiet", "--return", "--command", f"bash -c {inside}", "/dev/null"]
        return self.there(self.ours.run(*self.environment(), *terminal).replace("\r\n", "\n"))

    def environment(self) -> list[str]:
        """Return the words that give a command inside the lab our eximacl and its policy."""
        variables = {
            "PATH": f"{self.home}/bin:{os.environ['PATH']}:/usr/sbin",
            "EXIMACL_CONFIG": f"{self.home}/etc/eximacl/eximacl.toml",
            "PYTHONPATH": str(ROOT),
            "TZ": "UTC",
            "COLUMNS": TERMINAL_COLUMNS,
            "NO_COLOR": "1",
        }
        return ["env", "-u", "SUDO_USER", *(f"{name}={value}" for name, value in variables.items())]

    @contextlib.contextmanager
    def serving(self) -> Iterator[Way]:
        """Run the daemon inside the lab, so that it sees Exim's spool."""
        for place in PLACES:
            (self.home / place[1:]).mkdir(parents=True)
        wrapper = self.home / "bin" / "eximacl"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -m eximacl "$@"\n')
        wrapper.chmod(0o755)
        (self.home / "etc/eximacl/eximacl.toml").write_text(self.here(ELSEWHERE + block("toml")))
        with (self.home / "daemon.log").open("wb") as output:
            process = self.ours.namespace.start([*self.environment(), "eximacl", "serve"], output)
        try:
            until(lambda: listens(self.home / "run/eximacl/eximacl.sock"), "the daemon")
            yield self
        except Exception as error:
            error.add_note(f"---- the daemon's output\n{(self.home / 'daemon.log').read_text()}")
            raise
        finally:
            self.ours.close()
            process.wait()


@pytest.fixture
def way() -> Iterator[Way]:
    """Both Exims and the daemon."""
    with tempfile.TemporaryDirectory(prefix="eximacl-way-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        with (
            Names(reverse_zone({CLIENT_HERE: "mail.example.com.br"})) as names,
            Lab(Site(macros={"EXIMACL_SOCKET": f"{home}/run/eximacl/eximacl.sock"}), names=names) as ours,
            Lab(_senders_site(ours.server[1]), names=names) as theirs,
        ):
            names.learn({("mx.example.org", "A"): [ours.server[0]]})
            with Way(home, ours, theirs).serving() as way:
                yield way


def _senders_site(port: int) -> Site:
    transport = TRANSPORT.replace("PORT", str(port)).replace("CLIENT", CLIENT_HERE)
    return Site(
        domains=("example.net",),
        mailboxes=("ann", "postmaster"),
        hostname="mail.example.com.br",
        snippets=False,
        files={
            "conf.d/router/055_to_example_org": ROUTER,
            "conf.d/transport/10_to_example_org": transport,
        },
    )


def test_the_way_of_one_wrong_refusal(way: Way) -> None:
    way.send("Dinner on Friday?", "Shall we say eight?\n\nAnn")
    way.theirs.deliver()
    (bounce,) = way.theirs.mailbox("ann")
    text = bounce.get_payload(0).get_payload() if bounce.is_multipart() else bounce.get_payload()  # type: ignore[union-attr]
    found = re.search(r"\(ref=(\w{8})\)", str(text))
    assert found, text
    way.ref = found[1]
    assert same(block("text bounce"), way.there(str(text))), way.there(str(text))
    assert way.ours.mailbox("steve") == []
    until(lambda: "at data: hold" in way.shell(f"eximacl why {REF}"), "the journal")
    until(lambda: REF in way.shell(f"eximacl log --ref {REF}"), "the rejection log")
    for command, output in sessions():
        printed = way.shell(command)
        assert same(output, printed), f"$ {command}\n{printed}"
    way.ours.deliver()
    (released,) = way.ours.mailbox("steve")
    assert same(block("text delivered"), way.there(released.as_string())), way.there(released.as_string())
    way.send("Saturday, then", "And now?")
    way.ours.deliver()
    assert [message["Subject"] for message in way.ours.mailbox("steve")] == ["Dinner on Friday?", "Saturday, then"]
    assert len(way.theirs.mailbox("ann")) == 1


@pytest.mark.parametrize(
    ("expected", "printed", "alike"),
    [
        ("a\n", "a", True),
        ("a…c", "a b c", True),
        ("a", "b", False),
        ("a", "a\nb", False),
        ("2026-11-23 20:15:00 x", "2027-01-02 03:04:05 x", True),
        ("2026-11-23 x", "2027-01-02 y", False),
        ("1xVYtn-00005a-08 <ann@example.net>", "1xVYuX-00AB5a-08 <bob@example.net>", False),
    ],
)
def test_output_is_really_compared(expected: str, printed: str, alike: bool) -> None:
    assert same(expected, printed) is alike


def test_each_console_block_is_run() -> None:
    commands = [command for command, _ in sessions()]
    for words in ("why", "log --ref", "archive show", "archive release", "check"):
        assert any(command.startswith(f"eximacl {words}") for command in commands), words
