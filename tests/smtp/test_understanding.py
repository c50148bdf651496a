"""Through a real Exim: whom an exemption spares is understood all the same, and bounces to forwarded mail go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from eximacl.mail.batv import sign
from tests.lab import Daemon, Lab, Sink, Site
from tests.mail.test_batv import exim_expands

FRIEND, STRANGER = "127.0.0.5", "127.0.0.6"
SECRET = "the secret of srs_encode"
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
domains = ["example.org", "example.com"]
order = ["bounce_tag", "disposable", "valid_recipient"]
[checks.bounce_tag]
recipients = ["@example.org"]
keys = "{keys}"
srs_secrets = "{directory}/secrets"
exempt = {{ ips = ["127.0.0.5"] }}
[checks.disposable]
timezone = "UTC"
exempt = {{ senders = ["shop@example.net"] }}
[checks.valid_recipient]
recipients = ["steve"]
"""
# As Exim's specification has it, chapter 59, "Inbound Sender Rewriting Scheme".
ROUTER = f"""
inbound_srs:
  driver = redirect
  senders = :
  domains = +local_domains
  condition = ${{if inbound_srs {{$local_part}}{{{SECRET}}}}}
  data = $srs_recipient
"""


@dataclass
class Mails:
    """An Exim with the policy above, and the server to which its mail to the outside goes."""

    lab: Lab
    sink: Sink
    key: bytes

    def send(self, sender: str, recipient: str, source: str = STRANGER) -> str:
        """Send a message; return the reply to RCPT, or `delivered` if it was accepted in the end."""
        with self.lab.client(source) as client:
            client.reply()
            client.ask("EHLO mx.example.net")
            client.ask(f"MAIL FROM:<{sender}>")
            reply = client.ask(f"RCPT TO:<{recipient}>")
            if reply.startswith("250"):
                client.ask("DATA")
                reply = client.ask("Subject: hello", "", "text", ".")
                assert reply.startswith("250"), reply
                reply = "delivered"
            client.send("QUIT")
        self.lab.deliver()
        return reply.replace("\n", " ").partition(" (ref")[0]


@pytest.fixture(scope="module")
def mails(home: Path) -> Iterator[Mails]:
    directory = home / "understanding"
    directory.mkdir()
    (directory / "secrets").write_text(f"{SECRET}\n")
    (directory / "secrets").chmod(0o600)
    with ExitStack() as stack:
        sink = stack.enter_context(Sink())
        site = Site(
            macros={"EXIMACL_SOCKET": f"{directory}/eximacl.sock", "EXIMACL_ON_FAILURE": "defer"},
            files={"conf.d/router/051_srs": ROUTER},
            outside="::".join(map(str, sink.address)),
            tags=True,
        )
        lab = stack.enter_context(Lab(site))
        keys = lab.etc / "eximacl" / "bounce_keys"
        config = directory / "eximacl.toml"
        config.write_text(POLICY.format(directory=directory, keys=keys))
        stack.enter_context(Daemon(config, directory / "eximacl.sock", directory / "daemon.log"))
        yield Mails(lab, sink, keys.read_bytes().split(b"\n")[0])


def test_an_exempt_hosts_bounce_reaches_the_name_behind_any_tag(mails: Mails) -> None:
    good = sign("steve@example.org", mails.key, time.time())
    forged = sign("steve@example.org", b"another host's key", time.time())
    assert mails.send("", good) == "delivered"
    assert mails.send("", forged) == "550 5.7.1 steve did not send the original message"
    assert mails.send("", forged, FRIEND) == "delivered"
    assert mails.send("ann@example.net", forged, FRIEND) == "delivered"
    nobody = forged.replace("=steve", "=nobody")
    assert mails.send("", nobody, FRIEND) == f"550 5.1.1 mail to {nobody.partition('@')[0]} not accepted here"


def test_a_trusted_senders_mail_to_a_counted_address_is_delivered_and_not_counted(mails: Mails) -> None:
    address = "steve.2.count@example.com"
    assert [mails.send("shop@example.net", address) for _ in range(3)] == ["delivered"] * 3
    full = "550 5.2.1 mail to steve.2.count not accepted here: this address has reached its limit of 2"
    assert [mails.send("ann@example.net", address) for _ in range(3)] == ["delivered", "delivered", full]
    assert mails.send("prvs=0787b0b1b2=shop@example.net", address) == "delivered"
    over = "steve.date.01-01-2020@example.com"
    assert mails.send("shop@example.net", over) == "delivered"
    assert mails.send("ann@example.net", over).startswith("550 5.2.1 ")


def test_a_bounce_to_forwarded_mail_goes_to_its_sender_and_a_forged_one_nowhere(mails: Mails) -> None:
    (made,) = exim_expands([f"${{srs_encode {{{SECRET}}}{{joe@example.net}}{{example.org}}}}"])
    assert mails.send("", made) == "delivered"
    assert [taken.recipients for taken in mails.sink.taken] == [("joe@example.net",)]
    forged = made.replace("joe", "ann")
    assert mails.send("", forged) == f"550 5.1.1 mail to {forged.partition('@')[0]} not accepted here"
    assert len(mails.sink.taken) == 1
