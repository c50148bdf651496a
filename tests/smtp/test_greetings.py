"""Greetings through the real Exim: which of them reach the daemon as they were sent, and what `helo` makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Daemon, Lab, Names, Site, reverse_zone

CLIENT = "127.1.1.1"
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
order = ["helo"]
[checks.helo]
no_name = "reject"
ours = "reject"
other_address = "reject"
provider = "reject"
unrelated = "observe"
"""
ACCEPTED = "250 Accepted"
# Exim itself: helo_accept_junk_hosts is not set.
SYNTAX = "501 Syntactically invalid EHLO argument(s)"
GREETINGS = {
    "mx.example.net": ACCEPTED,
    f"[{CLIENT}]": ACCEPTED,
    f"[IPv4:{CLIENT}]": ACCEPTED,
    f"[::ffff:{CLIENT}]": ACCEPTED,
    f"[IPv6:::ffff:{CLIENT}]": ACCEPTED,
    "[IPV6:::FFFF:7f01:0101]": ACCEPTED,
    "[2001:db8::7]": "550 5.7.1 2001:db8::7 is not your address; please use your own name in HELO/EHLO",
    "[IPv6:2001:db8::7]": "550 5.7.1 2001:db8::7 is not your address; please use your own name in HELO/EHLO",
    "mail.example.com": ACCEPTED,
    "gmail.com": "550 5.7.1 gmail.com is a name of gmail.com; please use your own name in HELO/EHLO",
    "localhost": "550 5.5.2 please use the full name of your host in HELO/EHLO, or its address in brackets",
    "[x-tag:2001:db8::7]": SYNTAX,
}


@pytest.fixture(scope="module")
def lab(home: Path) -> Iterator[Lab]:
    directory = home / "greetings"
    directory.mkdir()
    macros = {"EXIMACL_SOCKET": f"{directory}/eximacl.sock", "EXIMACL_ON_FAILURE": "defer", "EXIMACL_SKIP_HOSTS": ""}
    with Names(reverse_zone({CLIENT: "mx.example.net"})) as names:
        config = directory / "eximacl.toml"
        config.write_text(POLICY.format(directory=directory, dns=names.address))
        with (
            Daemon(config, directory / "eximacl.sock", directory / "daemon.log"),
            Lab(Site(macros=macros), names=names) as running,
        ):
            yield running


def reply_to(lab: Lab, greeting: str) -> str:
    with lab.client(CLIENT) as client:
        client.reply()
        greeted = client.ask(f"EHLO {greeting}")
        if not greeted.startswith("250"):
            return greeted
        client.ask("MAIL FROM:<ann@example.net>")
        return client.ask("RCPT TO:<steve@example.org>").replace("\n", " ").partition(" (ref")[0]


@pytest.mark.parametrize("greeting", GREETINGS)
def test_a_greeting(lab: Lab, greeting: str) -> None:
    assert reply_to(lab, greeting) == GREETINGS[greeting]


@pytest.mark.parametrize("form", ["[{}]", "[IPv4:{}]", "[::ffff:{}]", "[IPv6:::ffff:{}]", "{}"])
def test_our_own_address_in_each_form(lab: Lab, form: str) -> None:
    reply = reply_to(lab, form.format(lab.server[0]))
    assert reply.startswith("550 5.7.1 ")
    assert reply.endswith("is our own; please use your own name in HELO/EHLO")
