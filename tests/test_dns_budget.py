"""A client whose name servers never answer gets past no DNS list, through the real daemon and a real DNS server.

Each case asks first about a name that the client chose: the sender's domain, the name in HELO, the reverse name of its
address. Whatever its check would do on a hit, the lists of the policy are asked afterwards.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from tests.lab.daemon import Daemon
from tests.lab.names import Names
from tests.lab.replies import SILENT

EXIM_SECONDS = 5.0
# The checks that look up what the client chose, each with what makes it ask.
EATERS = {
    "resolvable_sender": "",
    "helo": 'unresolvable = "{action}"',
    "rdns": 'missing = "{action}"',
    "rdns_tld": 'names = "any"\ntlds = ["example"]',
}
LISTS = {
    "dnsbl": 'zones = ["bl.example.net"]',
    "rhsbl": 'zones."rl.example.net".names = ["sender"]',
}
POLICY = """
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
budget = 1.0
[policy]
domains = ["example.org", ".case.example"]
order = ["helo", "rdns_tld", "rdns", "resolvable_sender", "dnsbl", "rhsbl"]
"""
CASES = [(check, action, listed) for check in EATERS for action in ("reject", "observe") for listed in LISTS]
ALL = [*CASES, ("all", "observe", "dnsbl")]


def domain_of(number: int) -> str:
    return f"c{number}.case.example"


def overlay(eater: str, action: str, listed: str) -> str:
    """Return a domain's policy: one of the checks, or all, and one list."""
    eaters = EATERS if eater == "all" else {eater: EATERS[eater]}
    tables = {check: f'action = "{action}"\n' + options.format(action=action) for check, options in eaters.items()}
    return "".join(f"[checks.{check}]\n{text}\n" for check, text in tables.items()) + (
        f'[checks.{listed}]\naction = "reject"\n{LISTS[listed]}\n'
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("budget")
    checks = (*EATERS, *LISTS)
    with contextlib.ExitStack() as stack:
        zone = {(f"{point}.net", "A"): ["127.0.0.2"] for point in ("2.0.0.127.bl.example", "test.rl.example")}
        names = stack.enter_context(Names(zone))
        text = POLICY.format(server=names.address)
        text += "".join(f'[checks.{check}]\naction = "off"\n' for check in checks)
        (directory / "eximacl.toml").write_text(text)
        (directory / "domains").mkdir()
        for number, case in enumerate(ALL):
            (directory / "domains" / f"{domain_of(number)}.toml").write_text(overlay(*case))
            names.learn({(name, kind): SILENT for name in strangers(number) for kind in ("A", "AAAA", "MX", "PTR")})
            names.learn({(name, "A"): ["127.0.0.2"] for name in listings(number)})
        daemon = stack.enter_context(Daemon(directory / "eximacl.toml", directory / "eximacl.sock", directory / "out"))
        while len({name for name, _ in names.asked}) < 4:  # it has tried out both lists
            time.sleep(0.01)
        yield daemon.path


def strangers(number: int) -> list[str]:
    return [f"s{number}.slow.example", f"h{number}.slow.example", f"{number + 1}.100.51.198.in-addr.arpa"]


def listings(number: int) -> list[str]:
    return [f"{number + 1}.100.51.198.bl.example.net", f"s{number}.slow.example.rl.example.net"]


@pytest.mark.parametrize(
    ("number", "listed"),
    [(number, case[2]) for number, case in enumerate(ALL)],
    ids=[f"{eater}, {action}, {listed}" for eater, action, listed in ALL],
)
def test_silent_name_servers_of_the_client_do_not_hide_a_listing(path: Path, number: int, listed: str) -> None:
    values = {
        "tx": f"t{number}",
        "ip": f"198.51.100.{number + 1}",
        "host": "",
        "host_failed": "1",
        "helo": f"h{number}.slow.example",
        "from": f"a@s{number}.slow.example",
        "rcpt": f"steve@{domain_of(number)}",
    }
    reply = ask(path, format_query("rcpt", values), EXIM_SECONDS)
    assert (reply.verdict, reply.reason) == ("reject", f"{listed}-listed")
