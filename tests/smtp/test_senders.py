"""Senders and patterns through the real Exim, and a list of clients as postgrey has it that exempts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Daemon, Lab, Names, Site, reverse_zone

STRANGER, LISTS, POOL, KNOWN = "127.1.1.1", "127.1.2.1", "127.1.3.1", "127.1.77.9"
HOSTS = {STRANGER: "mx.example.net", LISTS: "smtp12.lists.example.com", POOL: "out.pool.example.com"}
POLICY = """
[server]
socket = "{directory}/eximacl.sock"
mode = "0666"
[state]
url = "memory:"
[log]
rejections = ""
[journal]
dir = ""
[dns]
servers = ["{dns}"]
[policy]
domains = ["example.org"]
order = ["sender"]
[checks.sender]
senders = "senders"
exempt = {{ clients = "whitelist_clients" }}
"""
SENDERS = r"""
# who is not wanted
ann@example.net       Please use the form
"first.last"@example.net Write to office@example.org
@.shop.example        We have asked you to stop # twice
/^promo-\d+@/
juha: news@theirs.example
"""
CLIENTS = """# postgrey whitelist for mail client hostnames

# greylisting.org: a pool (no retry)
pool.example.com 
/^smtp\\d+\\.lists\\.example\\.com$/
127.1.77
"""  # noqa: W291 (there is one in the original)
ACCEPTED = "250 Accepted"
TOLD = {
    ("ann@example.net", "steve"): "550 5.7.1 Please use the form",
    ("prvs=0787b0b1b2=Ann@Example.NET", "steve"): "550 5.7.1 Please use the form",
    ('"first.last"@example.net', "steve"): "550 5.7.1 Write to office@example.org",
    ("a@mail.shop.example", "steve"): "550 5.7.1 We have asked you to stop",
    ("promo-17@any.example", "steve"): "550 5.7.1 mail from promo-17@any.example is not accepted here",
    ("news@theirs.example", "juha"): "550 5.7.1 mail from news@theirs.example is not accepted here",
    ("news@theirs.example", "steve"): ACCEPTED,
    ("bob@example.net", "steve"): ACCEPTED,
    ("", "steve"): ACCEPTED,
}


@pytest.fixture(scope="module")
def lab(home: Path) -> Iterator[Lab]:
    directory = home / "senders"
    directory.mkdir()
    (directory / "senders").write_text(SENDERS)
    (directory / "whitelist_clients").write_text(CLIENTS)
    macros = {"EXIMACL_SOCKET": f"{directory}/eximacl.sock", "EXIMACL_ON_FAILURE": "defer", "EXIMACL_SKIP_HOSTS": ""}
    with Names(reverse_zone(HOSTS)) as names:
        config = directory / "eximacl.toml"
        config.write_text(POLICY.format(directory=directory, dns=names.address))
        with (
            Daemon(config, directory / "eximacl.sock", directory / "daemon.log"),
            Lab(Site(macros={**macros, "EXIMACL_ASK_EARLY": "yes"}), names=names) as running,
        ):
            yield running


def reply_to(lab: Lab, source: str, sender: str, localpart: str) -> str:
    """Return the reply that decided, to MAIL or to RCPT."""
    with lab.client(source) as client:
        client.reply()
        client.ask("EHLO mx.example.net")
        reply = client.ask(f"MAIL FROM:<{sender}>")
        if reply.startswith("250"):
            reply = client.ask(f"RCPT TO:<{localpart}@example.org>")
        return reply.replace("\n", " ").partition(" (ref")[0]


@pytest.mark.parametrize(("sender", "localpart"), TOLD)
def test_a_sender(lab: Lab, sender: str, localpart: str) -> None:
    assert reply_to(lab, STRANGER, sender, localpart) == TOLD[sender, localpart]


@pytest.mark.parametrize("source", [LISTS, POOL, KNOWN])
def test_a_client_on_the_list_is_exempt(lab: Lab, source: str) -> None:
    assert reply_to(lab, source, "ann@example.net", "steve") == ACCEPTED
