"""Each fault of DNS with each check that asks it, through the real daemon and a real DNS server.

However DNS fails or lies, no message is refused for good, an answer comes before Exim gives up, and the daemon answers
other queries meanwhile. Each case has its domain and its DNS lists, so that one policy holds them all and no case meets
what the daemon has learnt from another; `on_unknown = "defer"` shows that the check could not find out.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from eximacl.protocol.client import ask
from eximacl.protocol.exim import Reply as Answered
from eximacl.protocol.exim import format_query, parse_reply
from tests.lab import replies
from tests.lab.daemon import Daemon
from tests.lab.names import Names
from tests.lab.replies import SERVFAIL, SILENT, Reply

# Of one query's look-ups. Exim waits for five seconds, and so do these tests.
BUDGET_SECONDS = 0.6
EXIM_SECONDS = 5.0
OTHERS = 10

# Each check, with the options that make it ask, and the name that it then asks about (see `values_of`).
CHECKS = {
    "rdns": ('missing = "reject"', "{ptr}"),
    "rdns_tld": ('names = "any"\ntlds = ["example"]', "{ptr}"),
    "helo": ('unresolvable = "reject"', "{helo}"),
    "resolvable_sender": ("", "{sender}"),
    "dnsbl": ('zones = ["bl{number}.example"]', "{ip}.bl{number}.example"),
    "dnswl": ('zones = ["wl{number}.example"]', "{ip}.wl{number}.example"),
    "rhsbl": ('zones."rhs{number}.example".names = ["sender"]', "{sender}.rhs{number}.example"),
}
FAULTS: dict[str, Reply | str] = {
    "SERVFAIL": SERVFAIL,
    "REFUSED": Reply(rcode="REFUSED"),
    "silence": SILENT,
    "far too slow": Reply(delay_seconds=BUDGET_SECONDS * 10),
    "truncated, and TCP hangs": Reply(udp="truncate", tcp="silent"),
    "truncated, and TCP closes": Reply(udp="truncate", tcp="close"),
    "another id": Reply(lie=replies.wrong_id),
    "another question": Reply(lie=replies.wrong_question),
    "from another port": Reply(elsewhere=True),
    "garbage": Reply(lie=replies.garbage),
    "cut short": Reply(lie=replies.cut),
    "a name that goes round": Reply(lie=replies.looping),
    "an answer that contradicts itself": Reply(rcode="NXDOMAIN"),
}
LISTS = ("dnsbl", "dnswl", "rhsbl")
RECORDS = {"A": ["127.0.0.2"], "AAAA": ["2001:db8::1"], "MX": ["10 mx.example."], "PTR": ["mx.example."]}
# Answers of a list that are not listings: its own trouble, or a domain that belongs to someone else by now.
ERRORS = {"refuses us": "127.255.255.254", "an unknown code": "127.9.9.9", "a domain for sale": "192.0.2.80"}

HEAD = """
[server]
socket = "eximacl.sock"
[state]
url = "memory:"
[log]
rejections = ""
[journal]
dir = ""
[dns]
servers = ["{server}"]
budget = {budget}
[policy]
domains = ["static.example", ".case.example"]
order = ["bad_recipient", {checks}]
[checks.bad_recipient]
recipients = ["ghost@static.example"]
"""


class World(NamedTuple):
    """A daemon, its socket, and the DNS that it asks."""

    path: Path
    names: Names


class Case(NamedTuple):
    """One check at one recipient domain, with names that no other case asks about."""

    number: int
    check: str
    fault: Reply | str = ""

    @property
    def values(self) -> dict[str, str]:
        high, low = divmod(self.number, 250)
        labels = f"{low + 1}.{high}.51.198"
        return {
            "number": str(self.number),
            "ip": labels,
            "ptr": f"{labels}.in-addr.arpa",
            "helo": f"h{self.number}.greeting.example",
            "sender": f"s{self.number}.sender.example",
        }

    @property
    def name(self) -> str:
        return CHECKS[self.check][1].format(**self.values)

    @property
    def line(self) -> bytes:
        values = self.values
        return format_query(
            "rcpt",
            {
                "tx": f"t{self.number}",
                "ip": ".".join(reversed(values["ip"].split("."))),
                "host": "",
                "host_failed": "1",
                "helo": values["helo"],
                "from": f"a@{values['sender']}",
                "rcpt": f"steve@c{self.number}.case.example",
            },
        )

    @property
    def unknown(self) -> str:
        return f"{self.check.replace('_', '-')}-unknown"


def cases(start: int, rows: list[tuple[str, Reply | str]]) -> list[Case]:
    return [Case(start + number, check, fault) for number, (check, fault) in enumerate(rows)]


FAULTY = cases(0, [(check, fault) for check in CHECKS for fault in FAULTS.values()])
TROUBLED = cases(200, [(check, code) for check in LISTS for code in ERRORS.values()])
TRUE = cases(300, [(check, "") for check in CHECKS])
SLOW = cases(400, [(check, "") for check in CHECKS])
SHARED = Case(500, "dnsbl")
ALL = (*FAULTY, *TROUBLED, *TRUE, *SLOW, SHARED)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("faults")
    with contextlib.ExitStack() as stack:
        names = stack.enter_context(Names())
        write_policy(directory, names)
        path = directory / "eximacl.sock"
        stack.enter_context(Daemon(directory / "eximacl.toml", path, directory / "output"))
        # It has tried the lists out, so that it believes them from now on.
        while len(probed(names)) < 2 * sum(case.check in LISTS for case in ALL):
            time.sleep(0.01)
        yield World(path, names)


def write_policy(directory: Path, names: Names) -> None:
    """Write a policy with a domain for each case, and make its lists work."""
    checks = ", ".join(f'"{check}"' for check in CHECKS)
    text = HEAD.format(server=names.address, budget=BUDGET_SECONDS, checks=checks)
    text += "".join(f'[checks.{check}]\naction = "off"\n' for check in CHECKS)
    (directory / "eximacl.toml").write_text(text)
    (directory / "domains").mkdir()
    for case in ALL:
        options = CHECKS[case.check][0].format(**case.values)
        file = directory / "domains" / f"c{case.number}.case.example.toml"
        file.write_text(f'[checks.{case.check}]\naction = "reject"\non_unknown = "defer"\n{options}\n')
        zone = case.name.rpartition(".sender.example.")[2].rpartition("51.198.")[2]
        names.learn({(f"{first}.{zone}", "A"): ["127.0.0.2"] for first in ("2.0.0.127", "test")})


def probed(names: Names) -> list[str]:
    """Return which test points have been asked for."""
    return [name for name, _ in names.asked if name.startswith(("2.0.0.127.", "1.0.0.127.", "test.", "invalid."))]


def learn(world: World, case: Case, fault: Reply | str) -> None:
    """Make DNS answer so about what the check asks."""
    for kind, records in RECORDS.items():
        answer = Reply(**{**vars(fault), "records": records}) if isinstance(fault, Reply) else fault
        world.names.learn({(case.name, kind): answer})


@pytest.mark.parametrize("case", FAULTY, ids=[f"{check}: {name}" for check in CHECKS for name in FAULTS])
def test_a_fault_of_dns_is_unknown(world: World, case: Case) -> None:
    learn(world, case, case.fault)
    reply = ask(world.path, case.line, EXIM_SECONDS)
    assert (reply.verdict, reply.code, reply.reason) == ("defer", 451, case.unknown)
    assert case.name in {name for name, _ in world.names.asked}


@pytest.mark.parametrize("case", TROUBLED, ids=[f"{check}: {name}" for check in LISTS for name in ERRORS])
def test_a_list_s_own_trouble_is_not_a_listing(world: World, case: Case) -> None:
    world.names.learn({(case.name, "A"): [str(case.fault)]})
    reply = ask(world.path, case.line, EXIM_SECONDS)
    assert (reply.verdict, reply.reason) == ("defer", case.unknown)
    assert (case.name, "A") in world.names.asked


@pytest.mark.parametrize("case", TRUE, ids=list(CHECKS))
def test_a_true_answer_decides(world: World, case: Case) -> None:
    """The faults above hide that for some checks an answer is an objection, for others the lack of one."""
    if case.check in ("rdns_tld", *LISTS):
        learn(world, case, Reply())
    reply = ask(world.path, case.line, EXIM_SECONDS)
    assert reply.verdict == ("accept" if case.check == "dnswl" else "reject")


@pytest.mark.parametrize("case", SLOW, ids=list(CHECKS))
def test_others_are_answered_while_dns_is_silent(world: World, case: Case) -> None:
    """One query waits for DNS; later ones that do not need DNS are answered before it."""
    learn(world, case, SILENT)
    with waiting(world.path, case.line) as slow:
        for other in range(OTHERS):
            rcpt = "ghost" if other % 2 else "steve"
            values = {"tx": f"o{other}", "ip": "192.0.2.7", "from": "a@example.net", "rcpt": f"{rcpt}@static.example"}
            reply = ask(world.path, format_query("rcpt", values), EXIM_SECONDS)
            assert reply.verdict == ("reject" if other % 2 else "accept")
        assert not has_answered(slow)
        assert answer_of(slow).verdict == "defer"


def test_many_wait_for_one_silent_name_and_ask_once(world: World) -> None:
    learn(world, SHARED, SILENT)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(waiting(world.path, SHARED.line)) for _ in range(100)]
        assert {answer_of(one).verdict for one in slow} == {"defer"}
    # It may be sent again, since nothing answers.
    assert 1 <= world.names.asked.count((SHARED.name, "A")) <= 3


@contextlib.contextmanager
def waiting(path: Path, line: bytes) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(EXIM_SECONDS)
        client.connect(str(path))
        client.sendall(line)
        yield client


def has_answered(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        client.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    finally:
        client.settimeout(EXIM_SECONDS)
    return True


def answer_of(client: socket.socket) -> Answered:
    chunks = b""
    while chunk := client.recv(65536):
        chunks += chunk
    return parse_reply(chunks)
