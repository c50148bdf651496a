"""A domain that a real Exim passes on to a host behind it: no form of a name leads past the list of recipients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab import Daemon, Lab, Sink, Site

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
[policy]
domains = ["example.org", "relay.example"]
order = ["bounce_tag", "disposable", "valid_recipient"]
[checks.disposable]
timezone = "UTC"
[checks.valid_recipient]
recipients = ["steve"]
"""
VICTIM = "victim@example.net"


class Relay(NamedTuple):
    """An Exim in front of another server, which takes what gets there."""

    lab: Lab
    sink: Sink

    def send(self, sender: str, localpart: str) -> str:
        """Send a message; return the reply to RCPT without its reference, or `delivered`."""
        with self.lab.client("127.0.0.6") as client:
            client.reply()
            client.ask("EHLO mx.example.net")
            client.ask(f"MAIL FROM:<{sender}>")
            reply = client.ask(f"RCPT TO:<{localpart}@relay.example>")
            if reply.startswith("250"):
                client.ask("DATA")
                assert client.ask("Subject: hello", "", "text", ".").startswith("250")
                reply = "delivered"
            client.send("QUIT")
        self.lab.deliver()
        return reply.replace("\n", " ").partition(" (ref")[0]


@pytest.fixture(scope="module")
def relay(home: Path) -> Iterator[Relay]:
    directory = home / "relayed"
    directory.mkdir()
    config = directory / "eximacl.toml"
    config.write_text(POLICY.format(directory=directory))
    with ExitStack() as stack:
        sink = stack.enter_context(Sink())
        macros = {
            "EXIMACL_SOCKET": f"{directory}/eximacl.sock",
            "EXIMACL_ON_FAILURE": "defer",
            "EXIMACL_DOMAINS": "+local_domains : +relay_to_domains",
            "MAIN_RELAY_TO_DOMAINS": "relay.example",
        }
        lab = stack.enter_context(Lab(Site(macros=macros, outside="::".join(map(str, sink.address)))))
        stack.enter_context(Daemon(config, directory / "eximacl.sock", directory / "daemon.log"))
        yield Relay(lab, sink)


FORMS = {
    "a forwarded sender's": "SRS0=abcd=aa=x.example=joe",
    "of another forwarder": "SRS1=AAAA=first.example==abcd=jr=example.net=joe",
    "tagged, too": "prvs=0840abcdef=SRS0=abcd=aa=x.example=joe",
    "a gateway's tag, too": "btv1==0787b0b1b22==SRS0=abcd=aa=x.example=joe",
    "counted": "joe.3.count",
    "tagged": "prvs=0840abcdef=joe",
}


@pytest.mark.parametrize("localpart", FORMS.values(), ids=FORMS)
def test_no_form_of_a_name_leads_past_the_list(relay: Relay, localpart: str) -> None:
    """Else the server behind refuses it, and the bounce goes to whom the sender named."""
    taken = len(relay.sink.taken)
    assert relay.send(VICTIM, localpart) == f"550 5.1.1 mail to {localpart} not accepted here"
    assert len(relay.sink.taken) == taken


def test_a_bounce_to_forwarded_mail_is_passed_on(relay: Relay) -> None:
    assert relay.send("", "SRS0=abcd=aa=x.example=joe") == "delivered"
    assert relay.sink.taken[-1].recipients == ("SRS0=abcd=aa=x.example=joe@relay.example",)


def test_the_host_behind_gets_the_name_that_it_knows(relay: Relay) -> None:
    assert relay.send("ann@example.net", "steve.3.count") == "delivered"
    assert relay.sink.taken[-1].recipients == ("steve@relay.example",)
