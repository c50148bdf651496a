"""Tagged senders: the real Exim signs what leaves, and takes no bounce without a good tag, on every configuration."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from eximacl.config.list_files import file_entries
from eximacl.mail.batv import DAY_SECONDS, is_over, is_signed, parse, sign
from tests.lab import Daemon, Lab, Sink, Site
from tests.lab.daemons import EXIM
from tests.lab.exim import USER
from tests.lab.site import Kind
from tests.smtp.conftest import Labs

KINDS: tuple[Kind, ...] = ("split", "unsplit", "plain")
RELAY = "127.0.0.99"
KEYS = Path("eximacl/bounce_keys")
OUTSIDE = "ann@example.net"
REFUSED = "550 5.7.1 steve did not send the original message"
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
[checks.bounce_tag]
recipients = ["steve@example.org", "@example.com"]
keys = "{keys}"
[checks.bad_recipient]
recipients = ["juha no longer works here"]
"""


@dataclass
class Tagging:
    """An Exim that tags as documented, its daemon, and the server to which its mail goes."""

    lab: Lab
    sink: Sink

    @property
    def key(self) -> bytes:
        """The key that signs."""
        return (self.lab.etc / KEYS).read_bytes().split(b"\n")[0]

    def send(self, sender: str, *, source: str = RELAY) -> str:
        """Have Exim send a message to the outside; return the envelope sender with which it arrived there."""
        mark = f"Subject: {uuid.uuid4().hex}"
        self.play(sender, OUTSIDE, mark, source)
        (taken,) = [taken for taken in self.sink.taken if mark in taken.text]
        assert taken.recipients == (OUTSIDE,)
        return taken.sender

    def play(self, sender: str, recipient: str, line: str, source: str) -> None:
        """Bring in a message that is accepted, and have it delivered."""
        mail = (
            f"S: 220\nC: EHLO x.example.net\nS: 250\nC: MAIL FROM:<{sender}>\nS: 250\nC: RCPT TO:<{recipient}>\nS: 250"
        )
        self.lab.play(f"{mail}\nC: DATA\nS: 354\nC: {line}\nC:\nC: text\nC: .\nS: 250\nC: QUIT\nS: 221", source)
        self.lab.deliver()

    def call(self, recipient: str, sender: str = "") -> str:
        """Ask for a recipient as a host that verifies an address does, and return the reply."""
        with self.lab.client() as client:
            client.reply()
            client.ask("EHLO mx.example.net")
            client.ask(f"MAIL FROM:<{sender}>")
            reply = client.ask(f"RCPT TO:<{recipient}>")
            client.send("QUIT")
            return reply.replace("\n", " ").partition(" (ref")[0]

    def delivered(self, sender: str, recipient: str) -> list[str]:
        """Send a message to a local user, and return what `Envelope-to` says about it in steve's mailbox."""
        mark = uuid.uuid4().hex
        self.play(sender, recipient, f"Subject: {mark}", "127.0.0.2")
        return [message["Envelope-to"] for message in self.lab.mailbox("steve") if message["Subject"] == mark]


@contextmanager
def tagging(site: Site, directory: Path) -> Iterator[Tagging]:
    """Start all three. The daemon comes last, since the installation makes its key."""
    with ExitStack() as stack:
        sink = stack.enter_context(Sink())
        macros = {"EXIMACL_SOCKET": f"{directory}/eximacl.sock", "EXIMACL_ON_FAILURE": "defer"}
        wired = Site(**{**vars(site), "macros": macros, "outside": "::".join(map(str, sink.address)), "tags": True})
        lab = stack.enter_context(Lab(wired))
        config = directory / "eximacl.toml"
        config.write_text(POLICY.format(directory=directory, keys=lab.etc / KEYS))
        stack.enter_context(Daemon(config, directory / "eximacl.sock", directory / "daemon.log"))
        yield Tagging(lab, sink)
        panics = lab.log / "paniclog"
        assert not panics.exists(), panics.read_text()


@pytest.fixture(scope="module", params=KINDS)
def each(request: pytest.FixtureRequest, home: Path) -> Iterator[Tagging]:
    directory = home / f"tags-{request.param}"
    directory.mkdir()
    with tagging(Site(request.param), directory) as running:
        yield running


@pytest.fixture(scope="module")
def one(home: Path) -> Iterator[Tagging]:
    """Debian's smarthost transport, so that both of Debian's are seen to tag."""
    directory = home / "tags-smarthost"
    directory.mkdir()
    with tagging(Site(outside_transport="remote_smtp_smarthost"), directory) as running:
        yield running


def test_a_mail_goes_out_and_its_bounce_comes_back(each: Tagging) -> None:
    """The whole of it, on each kind of configuration as documented."""
    sent_as = each.send("steve@example.org")
    tagged = parse(sent_as)
    assert tagged is not None
    assert tagged.address == "steve@example.org"
    assert is_signed(tagged, [each.key])
    assert not is_over(tagged, time.time())
    assert each.call(sent_as).startswith("250")
    assert each.delivered("", sent_as) == [sent_as]
    assert each.call("steve@example.org") == REFUSED
    assert each.call(sign("steve@example.org", b"somebody else's key", time.time())) == REFUSED
    assert each.call(sign("steve@example.org", each.key, time.time() - 9 * DAY_SECONDS)) == REFUSED
    assert each.delivered("bob@example.net", "steve@example.org") == ["steve@example.org"]


SENDERS = {
    "a listed sender": ("steve@example.org", "prvs steve@example.org"),
    "by its domain": ("info@example.com", "prvs info@example.com"),
    "in capitals": ("Steve@Example.ORG", "prvs steve@example.org"),
    "with odd characters": ("o'neill/x=y@example.com", "prvs o'neill/x=y@example.com"),
    "not listed": ("juha@example.org", "juha@example.org"),
    "forwarded mail": ("bob@example.net", "bob@example.net"),
    "forwarded mail, tagged by its sender": ("prvs=0840abcdef=bob@example.net", "prvs=0840abcdef=bob@example.net"),
    "tagged already": ("PRVS=0840abcdef=info@example.com", "PRVS=0840abcdef=info@example.com"),
    "in quotes": ('"a b"@example.com', '"a b"@example.com'),
    "a bounce, or an automatic reply of ours": ("", ""),
}


@pytest.mark.parametrize(("sender", "expected"), SENDERS.values(), ids=SENDERS)
def test_whose_mail_is_tagged(one: Tagging, sender: str, expected: str) -> None:
    sent_as = one.send(sender)
    tagged = parse(sent_as) if expected.startswith("prvs ") else None
    if tagged is not None:
        assert is_signed(tagged, [one.key])
        sent_as = f"prvs {tagged.address}"
    assert sent_as == expected


def test_the_check_and_exims_prvscheck_say_the_same_of_what_exim_sent(one: Tagging) -> None:
    sent_as = one.send("steve@example.org")
    asked = f"${{prvscheck{{{sent_as}}}{{{one.key.decode()}}}{{$prvscheck_address $prvscheck_result}}}}"
    assert one.lab.expand(asked) == "steve@example.org 1"
    assert one.call(sent_as).startswith("250")


@pytest.mark.parametrize(
    ("senders", "expected"),
    [
        ("*@+local_domains", ["info@example.org", "Steve@Example.COM"]),
        ("steve@example.org : *@example.com", ["Steve@Example.COM"]),
        ("", []),
    ],
)
def test_what_a_list_of_senders_may_hold(one: Tagging, senders: str, expected: list[str]) -> None:
    asked = ["info@example.org", "Steve@Example.COM", "ann@example.net"]
    condition = "${if match_address{%s}{%s}{1}}"
    assert [address for address in asked if one.lab.expand(condition % (address, senders))] == expected


def test_an_automatic_reply_reaches_who_wrote(one: Tagging) -> None:
    """RFC 3834: it has a null sender and goes to the return path, which is the tagged address; or it has a sender."""
    sent_as = one.send("steve@example.org")
    assert one.delivered("", sent_as) == [sent_as]
    assert one.delivered("ann@example.net", sent_as) == [sent_as]
    old = sign("steve@example.org", one.key, time.time() - 30 * DAY_SECONDS)
    assert one.delivered("ann@example.net", old) == [old]


def test_bounces_in_capitals_and_lower_case(one: Tagging) -> None:
    sent_as = one.send("Steve@Example.ORG")
    assert one.call(sent_as.lower()).startswith("250")
    assert one.call(sent_as.replace("example.org", "EXAMPLE.ORG")).startswith("250")


NOT_HIDDEN = {
    "one": "prvs=0840abcdef=juha@example.org",
    "two": "prvs=0840abcdef=prvs=0840abcdef=juha@example.org",
    "capitals": "PRVS=0840ABCDEF=JUHA@example.org",
    "disposable": "prvs=0840abcdef=juha.3.count@example.org",
    "quoted": '"prvs=0840abcdef=juha"@example.org',
    "source route": "@relay.example.net:prvs=0840abcdef=juha@example.org",
}


@pytest.mark.parametrize("recipient", NOT_HIDDEN.values(), ids=NOT_HIDDEN)
def test_no_tag_leads_past_another_check(one: Tagging, recipient: str) -> None:
    assert one.call(recipient, "ann@example.net") == "550 5.2.1 no longer works here"


def test_nobody_behind_a_tag_is_nobody(one: Tagging) -> None:
    reply = one.call(sign("ghost@example.org", one.key, time.time()), "ann@example.net")
    assert reply.startswith("550 Unrouteable address")


@pytest.mark.parametrize("kind", KINDS)
def test_where_tags_are_not_used_a_tagged_name_is_a_name(labs: Labs, kind: Kind) -> None:
    lab, _ = labs(Site(kind))
    with lab.client() as client:
        client.reply()
        client.ask("EHLO mx.example.net")
        client.ask("MAIL FROM:<ann@example.net>")
        assert client.ask("RCPT TO:<prvs=0840abcdef=steve@example.org>").startswith("550 Unrouteable address")
    assert "\nreturn_path = \n" in lab.run(EXIM, "-bP", "transport", "remote_smtp")


KEY_FILES = {
    "one": ("the first of all keys\n", "the first of all keys"),
    "no newline": ("the first of all keys", "the first of all keys"),
    "comments": (
        "# ours\n\n  # until May\n\tthe first of all keys  # new\nthe second of all\n",
        "the first of all keys",
    ),
    "a hash in it": ("the-first#key-of-all\n", "the-first#key-of-all"),
    "line ends of another system": ("# ours\r\nthe first of all keys\r\nthe second one\r\n", "the first of all keys"),
    "as long as can be": ("k" * 64 + "\nthe second of all\n", "k" * 64),
    "regular expression signs": ("$1 \\N {2} (.*) the key\n", "$1 \\N {2} (.*) the key"),
    "a mark at the start": ("\ufeffthe first of all keys\n", "the first of all keys"),
}


@pytest.fixture
def key_file(one: Tagging) -> Iterator[Path]:
    """The file of keys, to be changed under Exim; as it was afterwards."""
    path = one.lab.etc / KEYS
    before = path.read_bytes()
    yield path
    write_keys(path, before)


def write_keys(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    shutil.chown(path, group=USER)
    path.chmod(0o640)


@pytest.mark.parametrize(("text", "key"), KEY_FILES.values(), ids=KEY_FILES)
def test_exim_signs_with_the_first_key_of_the_file(one: Tagging, key_file: Path, text: str, key: str) -> None:
    """As the check reads it: `eximacl.config.sources.file_entries`."""
    write_keys(key_file, text.encode())
    assert next(iter(file_entries(key_file))) == key
    tagged = parse(one.send("steve@example.org"))
    assert tagged is not None
    assert is_signed(tagged, [key.encode()])


NO_KEY = {
    "only comments": (b"# none yet\n\n", "no key in /etc/exim4/eximacl/bounce_keys"),
    "not there": (None, "failed to open /etc/exim4/eximacl/bounce_keys"),
    "too long": (b"k" * 65, "prvs hmac-sha1 conversion failed"),
}


@pytest.mark.parametrize(("data", "why"), NO_KEY.values(), ids=NO_KEY)
def test_without_a_key_the_mail_waits(one: Tagging, key_file: Path, data: bytes | None, why: str) -> None:
    kept = key_file.read_bytes()
    if data is None:
        key_file.unlink()
    else:
        write_keys(key_file, data)
    before, taken = len(one.lab.mainlog()), len(one.sink.taken)
    one.play("steve@example.org", OUTSIDE, "Subject: waits", RELAY)
    assert (one.lab.queued(), len(one.sink.taken)) == (1, taken)
    assert why in one.lab.mainlog()[before:]
    (one.lab.log / "paniclog").unlink()  # where Exim says it, too
    one.play("juha@example.org", OUTSIDE, "Subject: goes", RELAY)
    assert one.lab.queued() == 1
    (one.lab.log / "paniclog").unlink()
    write_keys(key_file, kept)
    one.lab.deliver()
    assert one.lab.queued() == 0
    assert parse(one.sink.taken[-1].sender) is not None
